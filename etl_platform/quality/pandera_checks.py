"""Which rule a pandera check is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from etl_platform.quality.patterns import PatternError, compile_pattern, to_polars
from etl_platform.quality.rules import (
    CustomRule,
    LengthRule,
    NotInSetRule,
    RangeRule,
    RegexRule,
    RowCountRule,
    Rule,
    SetRule,
    UniqueRule,
)

if TYPE_CHECKING:
    import pandera.polars as pandera
    import pyarrow as pa

Recognised = tuple[type[Rule], dict[str, Any]]
_WHOLE = re.compile(r"\^\(\?:(.*)\)\$", re.DOTALL)


def rule_of_check(
    check: pandera.Check, column: str | None, reads: tuple[str, ...], kind: pa.DataType | None
) -> Recognised:
    """The rule class and its fields for a check; :class:`CustomRule` when SQL cannot say the same.

    Args:
        column: the column that the check belongs to, None for a check of the whole frame.
        reads: the columns that a custom check is given.
        kind: the column's lake type, where the schema says it.
    """
    found: Recognised | None = None
    statistics: dict[str, Any] = check.statistics or {}
    if check.ignore_na and not check.element_wise and not check.groupby:
        if column is None:
            found = _of_frame(statistics)
        elif _is_builtin(check):
            found = _of_column(check.name or "", statistics, kind)
    if found is None:
        return CustomRule, {"column": column, "pandera_check": check, "given": reads}
    built, values = found
    return built, values if column is None else {"column": column, **values}


def _is_builtin(check: pandera.Check) -> bool:
    return type(check).is_builtin_check(check.name or "") and not check.native


def _of_frame(statistics: dict[str, Any]) -> Recognised | None:
    # Only our own frame checks say which rule they are.
    if statistics.get("rule") == "unique":
        return UniqueRule, {"columns": statistics["columns"]}
    if statistics.get("rule") == "row_count":
        return RowCountRule, {"min": statistics["min"], "max": statistics["max"]}
    return None


def _of_column(name: str, given: dict[str, Any], kind: pa.DataType | None) -> Recognised | None:
    match name:
        case "greater_than_or_equal_to" if not _may_be_nan(kind):
            return RangeRule, {"min": given["min_value"]}
        case "greater_than" if not _may_be_nan(kind):
            return RangeRule, {"min": given["min_value"], "include_min": False}
        case "less_than_or_equal_to":
            return RangeRule, {"max": given["max_value"]}
        case "less_than":
            return RangeRule, {"max": given["max_value"], "include_max": False}
        case "in_range":
            return RangeRule, _in_range(given)
        case "equal_to":
            return SetRule, {"values": (given["value"],)}
        case "isin" if given["allowed_values"]:
            return SetRule, {"values": tuple(given["allowed_values"])}
        case "notin" if given["forbidden_values"]:
            return NotInSetRule, {"values": tuple(given["forbidden_values"])}
        case "not_equal_to":
            return NotInSetRule, {"values": (given["value"],)}
        case "str_length":
            exact = given.get("exact_value")
            low, high = given.get("min_value"), given.get("max_value")
            return LengthRule, {
                "min": low if exact is None else exact,
                "max": high if exact is None else exact,
            }
        case "str_matches":
            return _matches(given["pattern"])
        case _:
            return None


def _may_be_nan(kind: pa.DataType | None) -> bool:
    # pandera lets NaN pass a lone lower bound, our range rule does not.
    from pyarrow import types as t

    return kind is None or t.is_floating(kind)


def _in_range(given: dict[str, Any]) -> dict[str, Any]:
    values = {
        "min": given["min_value"],
        "max": given["max_value"],
        "include_min": given.get("include_min", True),
        "include_max": given.get("include_max", True),
    }
    if values["max"] == float("inf") and values["include_max"]:
        del values["max"]
    return values


def _matches(pattern: str | re.Pattern[str]) -> Recognised | None:
    """Pandera looks for a match at the start, the regex rule for one of the whole text."""
    if isinstance(pattern, re.Pattern):
        if pattern.flags & ~re.UNICODE:
            return None
        pattern = pattern.pattern
    whole = _WHOLE.fullmatch(pattern)
    inner = whole[1] if whole else f"(?:{pattern})(?s:.*)"
    try:
        compile_pattern(inner)
        # \d and the like are Unicode in pandera and ASCII in RE2: those stay with pandera.
        return (RegexRule, {"pattern": inner}) if to_polars(inner) == inner else None
    except PatternError:
        return None
