"""Compliance as numbers, as a picture and as a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from etl_platform.monitoring.sla.judging import Kept

if TYPE_CHECKING:
    from etl_platform.quality.reports.svg import Picture

_SHOWN, _CELL, _NAMES, _ROW = 60, 8, 220, 16
_COLOUR = {"met": "#4c9f70", "late": "#e0a030", "missed": "#d9534f", "waiting": "#c8ccd2"}


@dataclass(frozen=True, slots=True)
class Compliance:
    """One asset: how often it was in time; ``share`` is None before the first deadline."""

    asset: str
    met: int
    late: int
    missed: int
    share: float | None
    worst_late_s: float | None


def compliance(rows: Sequence[Kept]) -> list[Compliance]:
    """Every asset, by name."""
    found: list[Compliance] = []
    for asset in sorted({one.asset for one in rows}):
        own = [one for one in rows if one.asset == asset]
        counts = {name: sum(one.status == name for one in own) for name in _COLOUR}
        past = counts["met"] + counts["late"] + counts["missed"]
        late = [one.late_s for one in own if one.status == "late" and one.late_s is not None]
        found.append(
            Compliance(
                asset,
                counts["met"],
                counts["late"],
                counts["missed"],
                counts["met"] / past if past else None,
                max(late, default=None),
            )
        )
    return found


def picture(rows: Sequence[Kept]) -> Picture:
    """A line for each asset, a cell for each deadline, the newest at the right: green in time,
    yellow late, red not there. About 60 bytes per cell."""
    from etl_platform.quality.reports.svg import Picture

    assets = sorted({one.asset for one in rows})
    body: list[str] = []
    for line, asset in enumerate(assets):
        top = line * _ROW
        body.append(
            f'<text x="0" y="{top + 11}" font-size="11" fill="var(--ink,#8a8f98)">'
            f"{escape(asset[:36])}</text>"
        )
        own = sorted((one for one in rows if one.asset == asset), key=lambda one: one.expected_by)
        body.extend(
            f'<rect x="{_NAMES + place * _CELL}" y="{top + 2}" width="{_CELL - 1}" height="12" '
            f'fill="{_COLOUR[one.status]}"/>'
            for place, one in enumerate(own[-_SHOWN:])
        )
    width = _NAMES + _SHOWN * _CELL
    return Picture(width, max(len(assets), 1) * _ROW, "SLA by deadline", "".join(body))


def html_report(rows: Sequence[Kept]) -> str:
    """A page without script or network: compliance, picture, and every deadline not met."""
    summary = "".join(
        f"<tr><td>{escape(one.asset)}</td>"
        f"<td>{'' if one.share is None else f'{one.share:.1%}'}</td>"
        f"<td>{one.met}</td><td>{one.late}</td><td>{one.missed}</td></tr>"
        for one in compliance(rows)
    )
    broken = "".join(
        f"<tr><td>{escape(one.asset)}</td><td>{escape(one.partition or '')}</td>"
        f"<td>{one.expected_by:%Y-%m-%d %H:%M} UTC</td>"
        f"<td>{'' if one.actual is None else f'{one.actual:%Y-%m-%d %H:%M} UTC'}</td>"
        f"<td>{one.status}</td></tr>"
        for one in sorted(rows, key=lambda one: one.expected_by, reverse=True)
        if one.status in ("late", "missed")
    )
    return (
        "<!doctype html><meta charset='utf-8'><title>SLA</title>"
        "<style>body{font:14px sans-serif;margin:2em}td,th{padding:2px 12px;text-align:left}"
        "</style><h1>SLA</h1>"
        f"{picture(rows).inline()}"
        "<table><tr><th>asset</th><th>in time</th><th>met</th><th>late</th><th>missed</th></tr>"
        f"{summary}</table><h2>Not in time</h2><table><tr><th>asset</th><th>partition</th>"
        f"<th>expected by</th><th>actual</th><th></th></tr>{broken}</table>"
    )
