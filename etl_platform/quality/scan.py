"""Reading the staged files: the queries of a plan, and what they found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from etl_platform.quality.counts import ValueCounts, count_values, plain
from etl_platform.quality.plan import AuditPlan
from etl_platform.quality.profiles.rows import RowPass, pass_over_rows

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class Scanned:
    """What was read: counts by column, measures by ``(column, measure)``, sketches of the rest."""

    counts: Mapping[str, ValueCounts]
    measures: Mapping[tuple[str, str], Any]
    rows: RowPass = field(default_factory=RowPass)


def scan(con: duckdb.DuckDBPyConnection, plan: AuditPlan) -> Scanned:
    """Run the queries of a plan; each reads columns of its own."""
    counts = count_values(con, plan.relation, plan.counted)
    measures: dict[tuple[str, str], Any] = {}
    if plan.measure_sql:
        table = con.sql(plan.measure_sql).to_arrow_table()
        for i, key in enumerate(plan.measures):
            measures[key] = plain(table.column(i))[0]
    if plan.rows is None:
        return Scanned(counts, measures)
    passed = pass_over_rows(con, plan.relation, plan.rows)
    measures |= {("", rule): bad for rule, bad in passed.bad.items()}
    return Scanned(counts, measures, passed)
