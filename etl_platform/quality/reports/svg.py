"""Bars, lines and maps as SVG that is small enough for an event of Dagster.

A histogram strip of 20 bins takes about 300 bytes; matplotlib's SVG of the same takes 4,300 (9,200
with axes), pygal's 18,800. A table of 20 columns has to fit into 32 KiB with all its metadata.

Colours are CSS variables with fallbacks, so that the same picture follows a page's theme and
stands alone as an image on light and on dark ground.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

BAR = "var(--bar,#5b8def)"
INK = "var(--ink,#8a8f98)"
BAD = "var(--bad,#d9534f)"
_LEVELS = 16


@dataclass(frozen=True, slots=True)
class Picture:
    """Markup inside of an SVG element, and its size in pixels; ``title`` is read aloud."""

    width: int
    height: int
    title: str
    body: str

    def inline(self) -> str:
        """The element, for a page of HTML."""
        return (
            f'<svg role="img" viewBox="0 0 {self.width} {self.height}" width="{self.width}" '
            f'height="{self.height}"><title>{escape(self.title)}</title>{self.body}</svg>'
        )

    def markdown(self) -> str:
        """An image of Markdown that needs no other file."""
        element = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
            f'width="{self.width}" height="{self.height}">{self.body}</svg>'
        )
        data = base64.b64encode(element.encode()).decode()
        return f"![{plain(self.title)}](data:image/svg+xml;base64,{data})"


def plain(text: str) -> str:
    """Text that means nothing to Markdown."""
    return "".join(char for char in text if char.isalnum() or char in " .,:%-≤≥")


def bars(rows: Sequence[int], width: int, height: int, title: str) -> Picture:
    """Vertical bars; a bin with few rows is still seen, one with none is not."""
    return Picture(width, height, title, _bars(rows, width, height))


def histogram(
    rows: Sequence[int],
    low: str,
    high: str,
    title: str,
    width: int = 360,
    height: int = 110,
    label: Callable[[int], str] = "{:,}".format,
) -> Picture:
    """Bars on a line, with the ends of the axis and the number of rows of the highest bar.

    Args:
        label: how that number is written.
    """
    axis = height - 16
    body = (
        _bars(rows, width, axis - 12, top=12)
        + f'<path d="M0 {axis}.5H{width}" stroke="{INK}"/>'
        + _text(0, height - 3, low)
        + _text(width, height - 3, high, "end")
        + _text(0, 10, label(max(rows, default=0)))
    )
    return Picture(width, height, title, body)


def _bars(rows: Sequence[int], width: int, height: int, top: int = 0) -> str:
    most = max(rows, default=0)
    if not most:
        return ""
    step = width / len(rows)
    lines = "".join(
        f"M{_short((n + 0.5) * step)} {top + height}v-{_short(max(count / most * height, 1))}"
        for n, count in enumerate(rows)
        if count
    )
    return f'<path d="{lines}" stroke="{BAR}" stroke-width="{_short(step * 0.86)}"/>'


def trend(
    points: Sequence[tuple[str, float]],
    title: str,
    width: int = 360,
    height: int = 110,
    shown: str = ",.0f",
) -> Picture:
    """A line through the values of versions, from zero when they are near it; labels at the ends.

    Args:
        points: label and value, oldest first.
        shown: how values are written.
    """
    values = [value for _, value in points]
    low, high = min(values, default=0.0), max(values, default=0.0)
    low = 0.0 if 0 <= low < high / 2 else low
    span, top, bottom = (high - low) or 1.0, 16, height - 20
    step = (width - 12) / max(len(values) - 1, 1)

    def place(n: int, value: float) -> str:
        at = bottom - (value - low) / span * (bottom - top) if high > low else (top + bottom) / 2
        return f"{_short(6 + n * step)} {_short(at)}"

    places = [place(n, value) for n, value in enumerate(values)]
    dots = "".join(f"M{at}h0" for at in places)
    body = (
        f'<path d="M0 {bottom + 4}.5H{width}" stroke="{INK}"/>'
        f'<path d="M{"L".join(places)}" fill="none" stroke="{BAR}" stroke-width="1.5"/>'
        f'<path d="{dots}" stroke="{BAR}" stroke-width="5" stroke-linecap="round"/>'
        + _text(0, height - 3, points[0][0])
        + (_text(width, height - 3, points[-1][0], "end") if len(points) > 1 else "")
        + _text(0, 10, format(high, shown))
        + (_text(0, bottom, format(low, shown)) if high > low else "")
        if points
        else ""
    )
    return Picture(width, height, title, body)


def null_map(shares: Sequence[Sequence[float]], title: str, width: int = 480) -> Picture:
    """One row per column, one cell per block of rows; the darker, the more of it is null."""
    line, cell = 14, width / max((len(row) for row in shares), default=1)
    parts: list[str] = []
    for n, row in enumerate(shares):
        at = 0
        for level, run in groupby(_level(share) for share in row):
            length = len(list(run))
            if level:
                parts.append(
                    f'<rect x="{_short(at * cell)}" y="{n * line + 1}" '
                    f'width="{_short(length * cell)}" height="{line - 2}" fill="{BAD}" '
                    f'fill-opacity="{level / _LEVELS:.3g}"/>'
                )
            at += length
    height = line * len(shares)
    frame = f'<rect width="{width}" height="{height}" fill="{INK}" fill-opacity=".12"/>'
    return Picture(width, height, title, frame + "".join(parts))


def share_bar(share: float, title: str, width: int = 80, *, bad: bool = False) -> Picture:
    """A bar that is full at 1."""
    filled = _short(max(share * width, 1.5)) if share else "0"
    body = (
        f'<rect width="{width}" height="8" rx="2" fill="{INK}" fill-opacity=".18"/>'
        f'<rect width="{filled}" height="8" rx="2" fill="{BAD if bad else BAR}"/>'
    )
    return Picture(width, 8, title, body)


def grid(names: Sequence[str], values: Sequence[Sequence[float | None]], title: str) -> Picture:
    """A square of numbers from -1 to 1: blue above zero, red below; labels at left and below."""
    cell, left = 22, 8 + 7 * max((len(name) for name in names), default=0)
    size = cell * len(names)
    parts: list[str] = []
    for n, (name, row) in enumerate(zip(names, values, strict=True)):
        parts.append(_text(left - 4, n * cell + 15, name, "end"))
        middle = left + n * cell + 15
        parts.append(
            f'<text x="{middle}" y="{size + 6}" text-anchor="end" font-size="11" fill="{INK}" '
            f'transform="rotate(-60 {middle} {size + 6})">{escape(name)}</text>'
        )
        for m, value in enumerate(row):
            if value is not None:
                parts.append(
                    f'<rect x="{left + m * cell}" y="{n * cell}" width="{cell - 1}" '
                    f'height="{cell - 1}" fill="{BAR if value > 0 else BAD}" '
                    f'fill-opacity="{abs(value):.2g}"><title>{escape(name)}, {escape(names[m])}: '
                    f"{value:.2f}</title></rect>"
                )
    return Picture(left + size, size + left, title, "".join(parts))


def _level(share: float) -> int:
    """The root: a hundredth and a tenth can be told apart, and both from nothing."""
    return 0 if share <= 0 else max(1, round(share**0.5 * _LEVELS))


def _text(x: int, y: int, text: str, anchor: str = "start") -> str:
    return (
        f'<text x="{x}" y="{y}" font-size="11" font-family="system-ui,sans-serif" fill="{INK}" '
        f'text-anchor="{anchor}">{escape(text)}</text>'
    )


def _short(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
