"""Rules about the values of one column, from its profile."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etl_platform.core.duck import quote
from etl_platform.quality.facts import Facts
from etl_platform.quality.formats import PATTERNS, Format
from etl_platform.quality.profile import ColumnProfile, Profile
from etl_platform.quality.profiles.sketch import Family
from etl_platform.quality.reports.numbers import percent, shown
from etl_platform.quality.suggestions.headroom import (
    earliest,
    length_bound,
    number_bounds,
    share_bound,
)

if TYPE_CHECKING:
    import duckdb

LEAST_ROWS = 100
"""With n rows without a null, at most 3/n of all rows are null (95 %, rule of three)."""
_MOST_MEMBERS = 20
_ROWS_PER_MEMBER = 50
_MOST_NULLS = 0.5
_LONGEST = 1_000
_FORMAT_VALUES = 1_000
_FORMATS: tuple[Format, ...] = (
    "uuid",
    "email",
    "url",
    "iso_date",
    "iso_datetime",
    "ipv4",
    "ipv6",
    "phone",
)


@dataclass(frozen=True, slots=True)
class Suggested:
    """A rule as a contract writes it, and what in the data speaks for it."""

    rule: Mapping[str, Any]
    evidence: str


def column_rules(
    con: duckdb.DuckDBPyConnection,
    facts: Facts,
    profile: Profile,
    column: ColumnProfile,
    key: tuple[str, ...] | None,
) -> Iterator[Suggested]:
    """What speaks of one column; see :func:`~.suggesting.suggest`."""
    rows, present = profile.rows, profile.rows - column.nulls
    in_key, is_key = column.name in (key or ()), key == (column.name,)
    if column.nulls == 0 and (rows >= LEAST_ROWS or (in_key and rows)):
        yield Suggested(
            {"rule": "not_null", "column": column.name},
            f"no null in {rows:,} rows (at most {min(1.0, 3 / rows):.2g} of all, 95 %)",
        )
    if present < LEAST_ROWS:
        return
    if 0 < column.nulls <= _MOST_NULLS * rows:
        share = column.nulls / rows
        rule = {"rule": "null_share", "column": column.name, "max": share_bound(share)}
        yield _expected(rule, f"{percent(share)} of the rows are null")
    family = Family.of(facts.kind(column.name))
    if family.is_number and not is_key:
        yield from _range(column, whole=family is Family.INTEGER)
    elif family in (Family.DATE, Family.TIMESTAMP):
        yield from _first_day(column)
    elif family is Family.TEXT and column.distinct != 1:
        yield from _text(con, facts, profile, column, is_key=is_key)


def _range(column: ColumnProfile, *, whole: bool) -> Iterator[Suggested]:
    if column.pii or column.min is None or column.max is None or column.distinct == 1:
        return
    low, high = float(column.min), float(column.max)
    if column.nan or column.infinite or abs(low) == float("inf") or abs(high) == float("inf"):
        return
    least, most = number_bounds(low, high, whole=whole)
    if not (math.isfinite(least) and math.isfinite(most)):
        return
    rule = {"rule": "range", "column": column.name, "min": least, "max": most}
    evidence = f"{shown(column.min)} to {shown(column.max)} were seen"
    median = dict(column.quantiles).get(0.5)
    if median is not None:
        evidence += f", median {shown(median)}"
    yield _expected(rule, evidence)


def _first_day(column: ColumnProfile) -> Iterator[Suggested]:
    if not isinstance(column.min, str) or not isinstance(column.max, str):
        return
    first = earliest(column.min, column.max)
    if first is not None:
        rule = {"rule": "range", "column": column.name, "min": first}
        yield _expected(rule, f"{shown(column.min)} to {shown(column.max)} were seen")


def _text(
    con: duckdb.DuckDBPyConnection,
    facts: Facts,
    profile: Profile,
    column: ColumnProfile,
    *,
    is_key: bool,
) -> Iterator[Suggested]:
    members = None if is_key or column.pii else _members(profile, column)
    if members is not None:
        rule = {"rule": "set", "column": column.name, "values": sorted(members)}
        evidence = f"{len(members)} values, the rarest in {min(members.values()):,} rows"
        yield _expected(rule, evidence)
        return
    known = _format(con, facts, column.name)
    if known is not None:
        rule = {"rule": "format", "column": column.name, "format": known}
        yield _expected(rule, f"every value is of format {known}")
    elif column.text and column.text.max_length and column.text.max_length <= _LONGEST:
        yield _length(column, column.text.min_length or 0, column.text.max_length)


def _length(column: ColumnProfile, shortest: int, longest: int) -> Suggested:
    if shortest == longest:
        rule = {"rule": "length", "column": column.name, "min": shortest, "max": longest}
        return _expected(rule, f"every value has {longest} characters")
    rule = {"rule": "length", "column": column.name, "max": length_bound(longest)}
    if shortest:
        rule["min"] = 1
    return _expected(rule, f"{shortest} to {longest} characters were seen")


def _members(profile: Profile, column: ColumnProfile) -> Mapping[str, int] | None:
    from etl_platform.quality.profiles.column import Column

    distinct, present = column.distinct or 0, profile.rows - column.nulls
    few = column.distinct_exact and 0 < distinct <= _MOST_MEMBERS
    if not few or present < distinct * _ROWS_PER_MEMBER or profile.sketch is None:
        return None
    kept = next(c for c in profile.sketch.columns if c.name == column.name)
    counts = Column.thaw(kept).counts
    if counts is None:
        return None
    found = {str(value): rows for value, rows in counts.most_frequent(_MOST_MEMBERS)}
    return found if min(found.values()) > 1 else None


def _format(con: duckdb.DuckDBPyConnection, facts: Facts, column: str) -> Format | None:
    """The one format of all values, by the first thousand; the rule itself is tried on all."""
    value = quote(column)
    rows = con.execute(
        f"SELECT {value} FROM {facts.relation} WHERE {value} IS NOT NULL LIMIT {_FORMAT_VALUES}"
    ).fetchall()
    for known in _FORMATS:
        pattern = re.compile(PATTERNS[known])
        if rows and all(pattern.fullmatch(row[0]) for row in rows):
            return known
    return None


def _expected(rule: Mapping[str, Any], evidence: str) -> Suggested:
    return Suggested({**rule, "action": "warn"}, evidence)
