"""What is known of the values of one column: how many rows equal a constant, or lie below it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from etl_platform.quality.profile import ColumnProfile

Constant: TypeAlias = float | str
"""A number, or a text; days and times as ISO 8601 text."""
_YEAR_S = 365.25 * 86_400
EQUAL, RANGE = 0.1, 1 / 3
"""Shares where nothing is known, those of System R: Selinger et al., Access Path Selection in a
Relational Database Management System, SIGMOD 1979."""


@dataclass(frozen=True, slots=True)
class Values:
    """The values of a column in an intermediate result; shares are those of all its rows.

    Attributes:
        distinct: number of distinct values; None where it is not known.
        nulls: share of nulls.
        curve: values with the share of non-null values up to them, rising; empty where not known.
        top: frequent values with their shares.
    """

    distinct: float | None = None
    nulls: float = 0.0
    curve: tuple[tuple[float, Constant], ...] = ()
    top: tuple[tuple[Constant, float], ...] = ()

    def among(self, rows: float, of: float) -> Values:
        """The same column when ``rows`` of ``of`` rows are left, chosen without regard to it.

        The number of distinct values is what Cardenas's formula expects (Analysis and Performance
        of Inverted Data Base Structures, CACM 18(5), 1975).
        """
        if self.distinct is None or of <= 0 or rows >= of:
            return self
        each = of / max(self.distinct, 1.0)
        left = self.distinct * (1 - (1 - rows / of) ** each)
        return replace(self, distinct=max(1.0, min(left, rows)))

    def equal(self, constant: Constant | None) -> float:
        """The share of rows that equal a constant; None is one that is not known."""
        if self.distinct is None and not self.curve:
            return EQUAL
        present = 1 - self.nulls
        if constant is not None:
            for value, share in self.top:
                if value == constant:
                    return share
            if self._outside(constant):
                return 0.0
        if self.distinct is None:
            return EQUAL * present
        listed = sum(share for _, share in self.top) if constant is not None else 0.0
        others = self.distinct - (len(self.top) if constant is not None else 0)
        return max(0.0, present - listed) / others if others >= 1 else 0.0

    def below(self, constant: Constant | None) -> float:
        """The share of rows below a constant; of ties, half."""
        if constant is None or not self.curve:
            return RANGE
        return (1 - self.nulls) * _position(self.curve, constant)

    def _outside(self, constant: Constant) -> bool:
        if not self.curve:
            return False
        low, high, value = (number(c) for c in (self.curve[0][1], self.curve[-1][1], constant))
        if low is None or high is None or value is None:
            return False
        return not low <= value <= high


def of_profile(column: ColumnProfile, rows: int) -> Values:
    """The values of a table's column as its profile tells them."""
    decimal = column.dtype.startswith("decimal")

    def usable(value: object) -> Constant | None:
        found = _constant(value)
        return float(found) if decimal and found is not None else found

    low, high = usable(column.min), usable(column.max)
    curve = [(share, v) for share, found in column.quantiles if (v := usable(found)) is not None]
    if low is not None and high is not None:
        curve = [(0.0, low), *curve, (1.0, high)]
    total = max(rows, 1)
    return Values(
        distinct=None if column.distinct is None else float(column.distinct),
        nulls=column.nulls / total,
        curve=tuple(curve),
        top=tuple((v, n / total) for found, n in column.top if (v := usable(found)) is not None),
    )


def of_bounds(bounds: Sequence[tuple[object, object]]) -> Values:
    """The values of a column between the bounds of its files, evenly spread."""
    pairs = [
        (low, high)
        for pair in bounds
        for low, high in [tuple(map(_constant, pair))]
        if low is not None and high is not None
    ]
    ordered = [(number(low), low, number(high), high) for low, high in pairs]
    if not ordered or any(low is None or high is None for low, _, high, _ in ordered):
        return Values()
    low = min(ordered, key=lambda found: found[0] or 0.0)[1]
    high = max(ordered, key=lambda found: found[2] or 0.0)[3]
    return Values(curve=((0.0, low), (1.0, high)))


def years(values: Values) -> float:
    """How many years the values span; 10 where that is not known."""
    ends = [number(values.curve[place][1]) for place in (0, -1)] if values.curve else [None]
    first, last = ends[0], ends[-1]
    if first is None or last is None:
        return 10.0
    return max(1.0, round((last - first) / _YEAR_S + 0.5))


def number(constant: Constant) -> float | None:
    """A constant on a line: numbers as they are, days and times in seconds; None for texts."""
    if not isinstance(constant, str):
        return float(constant)
    try:
        moment = datetime.fromisoformat(constant)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC).timestamp()


def _constant(value: object) -> Constant | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float | str):
        return value
    text = value.isoformat() if hasattr(value, "isoformat") else None  # pyright: ignore[reportAttributeAccessIssue] - dates and times have it
    return text if isinstance(text, str) else None


def _position(curve: Sequence[tuple[float, Constant]], constant: Constant) -> float:
    """The share of a curve up to a constant, between two known values in proportion."""
    value = number(constant)
    before: tuple[float, Constant] | None = None
    for share, known in curve:
        point = number(known)
        if value is None or point is None:
            if str(known) >= str(constant):
                return share if before is None else (before[0] + share) / 2
        elif point >= value:
            if before is None:
                return share if point == value else 0.0
            start = number(before[1])
            if start is None or point == start:
                return share
            return before[0] + (share - before[0]) * (value - start) / (point - start)
        before = (share, known)
    return 1.0
