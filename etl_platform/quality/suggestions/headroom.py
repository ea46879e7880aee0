"""Bounds with room around what was observed, in numbers that people would write."""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Literal

ROOM = 0.2
"""Share of the observed span that is left free on each side."""
_DIGITS = 2


def number_bounds(low: float, high: float, *, whole: bool = False) -> tuple[float, float]:
    """Round bounds outside of ``low`` and ``high``: a fifth of their span away, at least.

    Values of one sign keep it (an amount that was never negative may be 0, never less), shares stay
    between 0 and 1. Of ``whole`` numbers the bounds are whole too.

    >>> number_bounds(3, 1301)
    (0, 1600)
    >>> number_bounds(-43.0, 1272.0)
    (-310, 1600)
    >>> number_bounds(0.02, 0.97)
    (0, 1)
    """
    if not whole and low >= 0 and high <= 1 and not (low in (0, 1) and high in (0, 1)):
        return 0, 1
    # Of a single value the span says nothing: then its size does.
    room = ROOM * (high - low) or max(abs(high), 1.0)
    least, most = _outside(low - room, "down"), _outside(high + room, "up")
    if whole and math.isfinite(room):
        least, most = math.floor(least), math.ceil(most)
    return (max(least, 0) if low >= 0 else least), (min(most, 0) if high <= 0 else most)


def _outside(number: float, way: Literal["up", "down"]) -> float:
    """Two digits, rounded away from what was observed; whole numbers as integers."""
    if number == 0 or not math.isfinite(number):
        return number
    unit = Decimal(10) ** (math.floor(math.log10(abs(number))) - _DIGITS + 1)
    turn = math.floor if way == "down" else math.ceil
    rounded = turn(Decimal(number) / unit) * unit
    return int(rounded) if rounded == rounded.to_integral_value() else float(rounded)


def earliest(low: str, high: str) -> str | None:
    """A first day before the observed ones; there is no last day, because time goes on.

    Args:
        low, high: ISO 8601 text.

    Returns:
        A day as ISO 8601 text; None where the calendar of Python has none so early.
    """
    try:
        first, last = _day(low), _day(high)
        return (first - max((last - first) * ROOM, timedelta(days=1))).isoformat()
    except (ValueError, OverflowError):
        return None


def _day(text: str) -> date:
    return datetime.fromisoformat(text).date()


def share_bound(share: float) -> float:
    """Half as many again, at least one in a hundred more.

    >>> share_bound(0.0), share_bound(0.0254), share_bound(0.8)
    (0.01, 0.04, 1.0)
    """
    return min(1.0, math.ceil(round(max(share * 1.5, share + 0.01) * 100, 6)) / 100)


def length_bound(longest: int) -> int:
    """Half as many characters again, in a number with two digits at most."""
    return int(_outside(max(longest * 1.5, longest + 5), "up"))
