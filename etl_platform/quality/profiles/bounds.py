"""The smaller and the larger of two columns' bounds, which JSON holds as numbers or text."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from etl_platform.quality.profiles.sketch import ColumnSketch, Family
from etl_platform.quality.values import JsonValue

if TYPE_CHECKING:
    from collections.abc import Callable


def lower(a: ColumnSketch, b: ColumnSketch) -> tuple[JsonValue, bool]:
    """The smaller lower bound, and whether it is a value that occurs."""
    return _choose(a, b, a.low, b.low, min)


def higher(a: ColumnSketch, b: ColumnSketch) -> tuple[JsonValue, bool]:
    """The larger upper bound, likewise."""
    return _choose(a, b, a.high, b.high, max)


def _choose(
    a: ColumnSketch, b: ColumnSketch, x: JsonValue, y: JsonValue, pick: Callable[..., Any]
) -> tuple[JsonValue, bool]:
    # A side without any value has nothing to say; one with values and no bound leaves it unknown.
    known = [(s, v) for s, v in ((a, x), (b, y)) if v is not None]
    if len(known) < 2:
        missing = b if known and known[0][0] is a else a
        silent = missing.present == 0 or missing.present == missing.nan
        if not known or not silent:
            return None, True
        return known[0][1], known[0][0].bounds_exact
    side, value = pick(known, key=lambda pair: _ordered(pair[1], pair[0].family))
    return value, side.bounds_exact


def _ordered(value: JsonValue, family: Family) -> Any:
    if family in (Family.INTEGER, Family.DECIMAL):
        return Decimal(str(value))
    if family is Family.FLOAT:
        return float(value) if value is not None else 0.0
    if family in (Family.DATE, Family.TIMESTAMP):
        text = str(value)
        year, _, rest = text[1:].partition("-")
        return (int(text[0] + year), rest)
    return value
