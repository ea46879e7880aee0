"""The profile of staged files: what to measure in the scan, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etl_platform.core.staged import Staged
from etl_platform.quality.counts import plain
from etl_platform.quality.dtypes import name_of
from etl_platform.quality.facts import Facts
from etl_platform.quality.look import columns_to_count, frequent_values
from etl_platform.quality.pii import classify
from etl_platform.quality.profile import ColumnProfile, Level, LevelChoice, Profile
from etl_platform.quality.profiles.column import Column
from etl_platform.quality.profiles.describe import describe
from etl_platform.quality.profiles.found import column_found, column_of_files
from etl_platform.quality.profiles.measures import profile_measures
from etl_platform.quality.profiles.merging import correlations
from etl_platform.quality.profiles.relations import (
    dependencies,
    pair_keys,
    repeated_columns,
    single_keys,
)
from etl_platform.quality.profiles.rows import RowPlan
from etl_platform.quality.profiles.sample import sample_rows
from etl_platform.quality.profiles.score import column_parts, rule_parts, score
from etl_platform.quality.profiles.sketch import Family, ProfileSketch

if TYPE_CHECKING:
    import duckdb
    import polars as pl

    from etl_platform.quality.outcome import Outcome
    from etl_platform.quality.scan import Scanned

_CLASSIFIED_VALUES = 1_000
_CHEAP_VALUES = 5_000_000


@dataclass(frozen=True, slots=True)
class Look:
    """What a sample shows before the scan.

    Attributes:
        frequent: values whose rows are counted in columns that are not counted as a whole.
        pii: kind of personal data by column.
    """

    level: Level
    sample: pl.DataFrame
    frequent: Mapping[str, list[object]]
    pii: Mapping[str, str]


def look(con: duckdb.DuckDBPyConnection, facts: Facts, choice: LevelChoice) -> Look:
    """Sample the staged files, and see which values are frequent and which are personal."""
    import polars as pl

    level = _level(facts, choice)
    if level == "off":
        return Look(level, pl.DataFrame(), {}, {})
    sample = sample_rows(con, facts)
    measured = [name for name in sample.columns if name not in facts.counted]
    frequent = frequent_values(sample, measured) if level == "basic" else {}
    return Look(level, sample, frequent, _personal(facts, sample))


def _level(facts: Facts, choice: LevelChoice) -> Level:
    if choice != "auto":
        return choice
    sketched = len(facts.staged.schema) - len(facts.counted)
    return "full" if facts.rows * sketched <= _CHEAP_VALUES else "basic"


def measures(facts: Facts, look: Look) -> dict[tuple[str, str], str]:
    """SQL aggregates that the profile needs from the scan, by column and measure."""
    if look.level == "off" or not facts.rows:
        return {}
    return profile_measures(facts, look.frequent, full=look.level == "full")


def rows_to_read(facts: Facts, look: Look) -> RowPlan | None:
    """What a full profile has to read row by row: columns that are not counted."""
    if look.level != "full" or not facts.rows:
        return None
    rest = tuple(
        f.name
        for f in facts.staged.schema
        if f.name not in facts.counted and Family.of(f.type) is not Family.NESTED
    )
    known = frozenset(name for name in rest if facts.bounds(name) is not None)
    return RowPlan(facts.staged.schema, rest, known, frozenset(look.pii))


def build_profile(
    facts: Facts,
    look: Look,
    scanned: Scanned,
    outcomes: Sequence[Outcome] = (),
) -> Profile:
    """Put the profile together from what the scan found; reads no data.

    Args:
        outcomes: of the contract's rules, for the quality score.
    """
    schema, rows, size = facts.staged.schema, facts.rows, facts.staged.size_bytes
    if look.level == "off":
        known = tuple(column_of_files(facts, f.name) for f in schema)
        return Profile(rows=rows, size_bytes=size, columns=known, level="off")
    found: dict[str, Column | ColumnProfile] = {
        f.name: column_found(facts, look, scanned, f.name) for f in schema
    }
    described = tuple(c if isinstance(c, ColumnProfile) else describe(c) for c in found.values())
    live = [c.fields for c in found.values() if isinstance(c, Column)]
    nulls = sum(c.nulls for c in described)
    parts = [*column_parts(rows * len(described), nulls, live), *rule_parts(outcomes)]
    sketch = None
    if look.level == "full":
        kept = tuple(c.freeze() for c in found.values() if isinstance(c, Column))
        sketch = ProfileSketch(columns=kept, comoments=scanned.rows.comoments)
    keys = single_keys(described, rows, repeated_columns(look.sample))
    if not keys and look.level == "full":
        keys = pair_keys(look.sample, described, rows)
    return Profile(
        rows=rows,
        size_bytes=size,
        columns=described,
        level=look.level,
        correlations=correlations(scanned.rows.comoments),
        keys=tuple(keys),
        dependencies=tuple(dependencies(look.sample)) if look.level == "full" else (),
        score=score(parts),
        sketch=sketch,
    )


def profile_staged(
    con: duckdb.DuckDBPyConnection,
    staged: Staged,
    level: LevelChoice = "full",
    outcomes: Sequence[Outcome] = (),
) -> Profile:
    """The profile of staged files alone, without judging a contract."""
    from etl_platform.quality.plan import AuditPlan
    from etl_platform.quality.scan import counting, scan

    counted = columns_to_count(con, staged) if level != "off" else frozenset[str]()
    facts = Facts(staged, counted)
    with counting(con, facts.relation, facts.counted_columns) as counts:
        seen = look(con, facts, level)
        plan = AuditPlan(facts.relation, {}, measures(facts, seen), rows_to_read(facts, seen))
        scanned = scan(con, plan, counts)
    return build_profile(facts, seen, scanned, outcomes)


def _personal(facts: Facts, sample: pl.DataFrame) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in sample.columns:
        dtype = name_of(facts.kind(name))
        values: list[Any] = plain(
            sample[name]
            .drop_nulls()
            .unique(maintain_order=True)
            .head(_CLASSIFIED_VALUES)
            .to_arrow()
        )
        kind = classify(name, dtype, values)
        if kind is not None:
            found[name] = str(kind)
    return found
