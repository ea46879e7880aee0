"""Reading the staged files: the two queries of a plan, and what they found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etl_platform.quality.counts import ValueCounts, count_values, plain
from etl_platform.quality.plan import AuditPlan

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class Scanned:
    """What was read: counts by column, measures by ``(column, measure)``."""

    counts: Mapping[str, ValueCounts]
    measures: Mapping[tuple[str, str], Any]


def scan(con: duckdb.DuckDBPyConnection, plan: AuditPlan) -> Scanned:
    """Run the queries of a plan; each column is read at most once."""
    counts = count_values(con, plan.relation, plan.counted)
    measures: dict[tuple[str, str], Any] = {}
    if plan.measure_sql:
        table = con.sql(plan.measure_sql).to_arrow_table()
        for i, key in enumerate(plan.measures):
            measures[key] = plain(table.column(i))[0]
    return Scanned(counts, measures)
