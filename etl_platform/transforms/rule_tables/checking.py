"""Rules that are never reached, rules that contradict each other, and rows that no rule is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

from sqlglot import exp

from etl_platform.core.errors import ConfigError
from etl_platform.transforms.rule_tables.regions import (
    EVERYTHING,
    MOST_BOXES,
    Allowed,
    Box,
    Region,
    kinds_of,
    meet,
    region_of,
    without,
)

MOST_COMPARED = 100_000


def check_rules(
    rules: Sequence[tuple[str, exp.Expr]],
    columns: Mapping[str, str],
    *,
    default: bool,
    unique: bool,
    where: str,
) -> None:
    """Refuse a table of ordered conditions that does not say what it seems to.

    A condition is understood as far as it compares columns with literals; where it does something
    else, nothing is claimed about it, and nothing about the last ones of many hundred rules, so
    that definitions load in a fraction of a second.

    Args:
        rules: the place of each, and its condition.
        columns: that the conditions read, with DuckDB types.
        default: whether there is an outcome where no condition is true.
        unique: whether no row may fulfil two conditions.

    Raises:
        ConfigError: a rule that earlier ones leave nothing for, two of which both could be true
            though that may not be, or rows without a rule, with an example.
    """
    kinds = kinds_of(columns)
    regions = [(place, region_of(condition, kinds)) for place, condition in rules]
    sizes = accumulate(len(region.boxes) for _, region in regions)
    texts: dict[str, str] = {}
    compared = 0
    for number, ((place, region), boxes) in enumerate(zip(regions, sizes, strict=True)):
        text = rules[number][1].sql(dialect="duckdb")
        if text in texts:
            raise _never(where, place, f"the condition stands at {texts[text]} already")
        texts[text] = place
        if not region.boxes:
            raise _never(where, place, "the condition is never true")
        compared += boxes * len(region.boxes)
        if compared > MOST_COMPARED:
            continue
        before = regions[:number]
        if unique:
            _check_apart(where, place, region, before)
        _check_reached(where, place, region, before)
    if not default:
        left = _left(({},), [region for _, region in regions])
        if left:
            raise ConfigError(
                f"{where}: no rule is for {_shown(left[0])}, and there is no 'default'",
                fix="say what it is: default: unknown, or default: null",
            )


def _check_apart(
    where: str, place: str, region: Region, before: Sequence[tuple[str, Region]]
) -> None:
    for earlier, other in before:
        if not (region.exact and other.exact):
            continue
        for a in region.boxes:
            for b in other.boxes:
                both = meet(a, b)
                if both is not None:
                    raise ConfigError(
                        f"{where}: {place} and {earlier} overlap: both are true for {_shown(both)}",
                        fix="make one of them narrower, or 'hit: first'",
                    )


def _check_reached(
    where: str, place: str, region: Region, before: Sequence[tuple[str, Region]]
) -> None:
    left = list(region.boxes)
    by: list[str] = []
    for earlier, other in before:
        if not other.exact:
            continue
        for box in other.boxes:
            if any(meet(one, box) is not None for one in left):
                by.append(earlier)
                left = without(left, box)
        if not left:
            names = ", ".join(dict.fromkeys(by))
            raise _never(where, place, f"{names} took all of its rows before")
        if len(left) > MOST_BOXES:
            return


def _left(boxes: Sequence[Box], regions: Sequence[Region]) -> list[Box]:
    left = list(boxes)
    for region in regions:
        for box in region.boxes if region.exact else ():
            left = without(left, box)
            if len(left) > MOST_BOXES:
                return left
    return left


def _never(where: str, place: str, why: str) -> ConfigError:
    return ConfigError(
        f"{where}: {place} is never reached: {why}", fix="take it out, or put it before"
    )


def _shown(box: Box) -> str:
    """A box as a condition, such as ``amount >= 30 and status is null``."""
    said = [_condition(name, allowed) for name, allowed in box.items() if allowed != EVERYTHING]
    return " and ".join(said) or "other rows"


def _condition(column: str, allowed: Allowed) -> str:
    if allowed.null and not allowed.intervals:
        return f"{column} is null"
    low, high = allowed.intervals[0]
    if low is not None and high is not None and low[0] == high[0]:
        return f"{column} = {_literal(low[0])}"
    parts: list[str] = []
    if low is not None:
        parts.append(f"{column} {'>' if low[1] else '>='} {_literal(low[0])}")
    if high is not None:
        parts.append(f"{column} {'<=' if high[1] else '<'} {_literal(high[0])}")
    return " and ".join(parts) or f"{column} is not null"


def _literal(value: object) -> str:
    return repr(value) if isinstance(value, str) else str(value)
