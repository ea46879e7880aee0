"""A small picture of a metric's history with the band of what is usual, as SVG."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from etl_platform.quality.anomalies.evaluation import Judged

_WIDTH, _HEIGHT, _MARGIN = 480, 120, 8
_SHOWN = 90


def svg(judged: Judged) -> str:
    """History (grey), band (blue) and the new value (green, or red when it is an anomaly).

    At most 90 points: about 2 KB.
    """
    verdict, value = judged.verdict, judged.value
    shown = judged.history.values[-_SHOWN:].tolist()
    edges = [edge for edge in (verdict.band_low, verdict.band_high) if edge is not None]
    last = [value] if value is not None else []
    everything = [*shown, *edges, *last] or [0.0]
    low, high = min(everything), max(everything)
    span = (high - low) or 1.0

    def x(place: int) -> float:
        return _MARGIN + (_WIDTH - 2 * _MARGIN) * place / max(len(shown), 1)

    def y(number: float) -> float:
        return _HEIGHT - _MARGIN - (_HEIGHT - 2 * _MARGIN) * (number - low) / span

    frame = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}"><rect width="100%" height="100%" fill="#fff"/>'
    )
    parts = [frame]
    if len(edges) == 2:
        top, bottom = y(edges[1]), y(edges[0])
        parts.append(
            f'<rect x="{x(len(shown)) - 6:.0f}" y="{top:.1f}" width="12" '
            f'height="{max(bottom - top, 1):.1f}" fill="#9ecae9"/>'
        )
    line = " ".join(f"{x(n):.0f},{y(number):.1f}" for n, number in enumerate(shown))
    parts.append(f'<polyline points="{line}" fill="none" stroke="#777" stroke-width="1.5"/>')
    if value is not None:
        colour = "#d62728" if verdict.status == "anomaly" else "#2ca02c"
        parts.append(
            f'<circle cx="{x(len(shown)):.0f}" cy="{y(value):.1f}" r="4" fill="{colour}"/>'
        )
    return "".join([*parts, _label(high, 12), _label(low, _HEIGHT - 2), "</svg>"])


def markdown(judged: Judged) -> str:
    """The picture as an image of Markdown that needs no other file."""
    data = base64.b64encode(svg(judged).encode()).decode()
    return f"![history of {_plain(judged.metric)}](data:image/svg+xml;base64,{data})"


def _label(number: float, height: int) -> str:
    return f'<text x="2" y="{height}" font-size="10" fill="#555">{number:,.5g}</text>'


def _plain(text: str) -> str:
    return "".join(char for char in text if char.isalnum() or char in "._ ")
