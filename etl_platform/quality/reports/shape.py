"""The picture of one column: a histogram that tails do not flatten, or frequent values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etl_platform.quality.profile import ColumnProfile, Profile
from etl_platform.quality.profiles.sketch import Family
from etl_platform.quality.reports.numbers import shown
from etl_platform.quality.reports.svg import Picture, bars, histogram

if TYPE_CHECKING:
    from etl_platform.quality.profiles.sketch import ColumnSketch

_BINS = 20
_TAIL = 0.01
_FLATTENED = 4
_EACH = 32
_STRIP = (120, 22)


@dataclass(frozen=True, slots=True)
class Shape:
    """Rows per bar, and what stands at the ends of the axis."""

    rows: tuple[int, ...]
    low: str
    high: str


def shape_of(profile: Profile, column: ColumnProfile) -> Shape | None:
    """Bars of a column; None when nothing of it can be drawn.

    A bar stands for each of up to 32 whole numbers. Where the values reach more than four times as
    far as their middle 98 %, the bars are those of the middle and the outer ones hold the tails.
    (Both of full profiles only.) Columns without an axis give their most frequent values.
    """
    if column.distinct == 1:
        return None
    trimmed = _trimmed(profile, column)
    if trimmed is not None:
        return trimmed
    if column.histogram is not None:
        edges = column.histogram.edges
        return Shape(column.histogram.rows, shown(edges[0]), shown(edges[-1]))
    # Where each row has a value of its own, none is frequent.
    if len(column.top) > 1 and column.top[0][1] > 1:
        rows = tuple(count for _, count in column.top)
        return Shape(rows, shown(column.top[0][0]), shown(column.top[-1][0]))
    return None


def strip(profile: Profile, column: ColumnProfile) -> Picture | None:
    """A picture for one line of a table."""
    found = shape_of(profile, column)
    return None if found is None else bars(found.rows, *_STRIP, _title(column, found))


def drawing(profile: Profile, column: ColumnProfile) -> Picture | None:
    """A picture with an axis; None for columns without one."""
    found = shape_of(profile, column) if column.histogram is not None else None
    if found is None:
        return None
    return histogram(found.rows, found.low, found.high, _title(column, found))


def _title(column: ColumnProfile, found: Shape) -> str:
    return f"{column.name}: {found.low} to {found.high}"


def _trimmed(profile: Profile, column: ColumnProfile) -> Shape | None:
    kept = profile.sketch.columns if profile.sketch is not None else ()
    sketch = next((one for one in kept if one.name == column.name), None)
    if sketch is None or not sketch.family.is_number or column.histogram is None:
        return None
    return _middle(sketch, column)


def _middle(sketch: ColumnSketch, column: ColumnProfile) -> Shape | None:
    import numpy as np

    from etl_platform.quality.profiles.column import Column

    ranked = Column.thaw(sketch).ranked()
    if ranked is None:
        return None
    least, low, high, most = ranked.quantiles([0.0, _TAIL, 1 - _TAIL, 1.0])
    if sketch.family is Family.INTEGER and most - least < _EACH:
        each: Any = np.arange(least, most + 2)
        ends = shown(_number(column, least)), shown(_number(column, most))
        return Shape(tuple(ranked.histogram(each)), *ends)
    if not low < high or most - least <= _FLATTENED * (high - low):
        return None
    edges: Any = np.linspace(low, high, _BINS + 1)
    if not bool((np.diff(edges) > 0).all()):
        return None
    edges[0], edges[-1] = -np.inf, np.inf
    beyond = (shown(_number(column, low)), shown(_number(column, high)))
    ends = (
        f"≤ {beyond[0]}" if least < low else beyond[0],
        f"≥ {beyond[1]}" if most > high else beyond[1],
    )
    return Shape(tuple(ranked.histogram(edges)), *ends)


def _number(column: ColumnProfile, number: float) -> float:
    return int(number) if column.dtype.startswith("int") else number
