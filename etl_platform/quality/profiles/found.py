"""One column of a profile, from what was found of it: counts, sketches, measures, statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl_platform.quality.counts import ValueCounts
from etl_platform.quality.dtypes import name_of
from etl_platform.quality.facts import Facts
from etl_platform.quality.look import is_countable
from etl_platform.quality.pii import classify
from etl_platform.quality.profile import ColumnProfile
from etl_platform.quality.profiles.column import Column
from etl_platform.quality.profiles.counted import from_counts, looked_at
from etl_platform.quality.profiles.measures import measured_profile, nested_sketch
from etl_platform.quality.profiles.sketch import ColumnSketch, Family
from etl_platform.quality.values import json_safe

if TYPE_CHECKING:
    from etl_platform.quality.profiling import Look
    from etl_platform.quality.scan import Scanned


def column_found(facts: Facts, look: Look, scanned: Scanned, name: str) -> Column | ColumnProfile:
    """A column as it was counted, sketched or measured, with personal data masked."""
    base = _base(facts, scanned, name)
    counts = scanned.counts.get(name)
    if counts is None and not facts.rows and is_countable(facts.kind(name)):
        counts = _no_counts(facts, name)
    if counts is not None:
        base = _with_bounds(base, counts)
        column = from_counts(base, counts)
    elif base.family is Family.NESTED:
        column = Column(base.model_copy(update={"nested": nested_sketch(facts, scanned, name)}))
    elif name in scanned.rows.columns:
        column = scanned.rows.columns[name].finish(base)
    elif not facts.rows:
        column = Column(base)
    else:
        return measured_profile(base, scanned.measures, look.frequent.get(name, []), look.pii)
    if base.family is Family.TEXT and not column.fields.looked_at and name in look.sample.columns:
        texts = look.sample[name].drop_nulls().value_counts()
        shown = looked_at(list(texts.iter_rows()))
        column = Column(
            column.fields.model_copy(update=shown),
            column.counts,
            column.distinct,
            column.quantiles,
        )
    kind = look.pii.get(name)
    return column if kind is None else column.masked(kind)


def _base(facts: Facts, scanned: Scanned, name: str) -> ColumnSketch:
    kind = facts.kind(name)
    nulls = facts.nulls(name)
    if nulls is None and (name, "present") in scanned.measures:
        nulls = facts.rows - scanned.measures[name, "present"]
    low, high, exact = facts.bounds(name) or (None, None, True)
    if not is_countable(kind):
        low, high, exact = None, None, True
    return ColumnSketch(
        name=name,
        dtype=name_of(kind),
        family=Family.of(kind),
        rows=facts.rows,
        nulls=nulls or 0,
        low=json_safe(low),
        high=json_safe(high),
        bounds_exact=exact,
    )


def _with_bounds(base: ColumnSketch, counts: ValueCounts) -> ColumnSketch:
    if base.low is not None and base.bounds_exact:
        return base
    low, high = counts.bounds()
    update = {"low": json_safe(low), "high": json_safe(high), "bounds_exact": True}
    return base.model_copy(update=update)


def _no_counts(facts: Facts, name: str) -> ValueCounts:
    import polars as pl

    empty = pl.Series(pl.from_arrow(facts.staged.schema.empty_table()[name]))
    return ValueCounts(empty, pl.Series([], dtype=pl.Int64))


def column_of_files(facts: Facts, name: str) -> ColumnProfile:
    """What the statistics tell; no bounds that may be personal, since no value is looked at."""
    kind = facts.kind(name)
    low, high, exact = facts.bounds(name) or (None, None, True)
    if Family.of(kind) in (Family.TEXT, Family.BINARY) or classify(
        name, name_of(kind), [low, high]
    ):
        low, high, exact = None, None, True
    return ColumnProfile(
        name=name,
        dtype=name_of(kind),
        nulls=facts.nulls(name) or 0,
        min=json_safe(low),
        max=json_safe(high),
        bounds_exact=exact,
    )
