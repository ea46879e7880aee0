"""A profile from statistics of the files and what the scan found."""

from __future__ import annotations

import math
from typing import Any

from etl_platform.quality.counts import ValueCounts
from etl_platform.quality.dtypes import name_of
from etl_platform.quality.facts import Facts
from etl_platform.quality.look import is_countable
from etl_platform.quality.profile import ColumnProfile, Profile
from etl_platform.quality.scan import Scanned
from etl_platform.quality.values import json_safe

_TOP = 10


def build_profile(facts: Facts, scanned: Scanned, frequent: dict[str, list[object]]) -> Profile:
    """Put the profile of a batch together; reads nothing.

    Args:
        frequent: the values whose numbers were measured, by column.
    """
    return Profile(
        rows=facts.rows,
        size_bytes=facts.staged.size_bytes,
        columns=tuple(
            _column(facts, scanned, f.name, frequent.get(f.name, [])) for f in facts.staged.schema
        ),
    )


def _column(facts: Facts, scanned: Scanned, name: str, frequent: list[object]) -> ColumnProfile:
    kind = facts.kind(name)
    nulls = facts.nulls(name)
    if nulls is None:
        nulls = facts.rows - scanned.measures[name, "present"]
    common: dict[str, Any] = {"name": name, "dtype": name_of(kind), "nulls": nulls}
    if not facts.rows:
        return ColumnProfile(
            **common, distinct=0 if is_countable(kind) else None, distinct_exact=True
        )
    counts = scanned.counts.get(name)
    if counts is not None:
        return _counted(common, facts, name, counts)
    measured = scanned.measures
    distinct = measured.get((name, "distinct"))
    if not is_countable(kind):
        return ColumnProfile(**common, distinct=distinct)
    low, high, exact = facts.bounds(name) or (
        measured[name, "min"],
        measured[name, "max"],
        True,
    )
    top = sorted(
        ((value, measured[name, f"top {i}"]) for i, value in enumerate(frequent)),
        key=lambda pair: -pair[1],
    )
    return ColumnProfile(
        **common,
        distinct=min(distinct, facts.rows - nulls),
        min=json_safe(low),
        max=json_safe(high),
        bounds_exact=exact,
        mean=_finite(measured.get((name, "mean"))),
        top=tuple((json_safe(value), rows) for value, rows in top),
    )


def _counted(common: dict[str, Any], facts: Facts, name: str, counts: ValueCounts) -> ColumnProfile:
    from pyarrow import types as t

    kind = facts.kind(name)
    has_mean = t.is_boolean(kind) or t.is_integer(kind) or t.is_floating(kind) or t.is_decimal(kind)
    low, high, exact = facts.bounds(name) or (None, None, False)
    if low is None or not exact:
        low, high = counts.bounds()
    return ColumnProfile(
        **common,
        distinct=len(counts.values),
        distinct_exact=True,
        min=json_safe(low),
        max=json_safe(high),
        mean=_finite(counts.mean()) if has_mean else None,
        top=tuple((json_safe(value), rows) for value, rows in counts.most_frequent(_TOP)),
    )


def _finite(number: float | None) -> float | None:
    return float(number) if number is not None and math.isfinite(number) else None
