"""Reading the staged files: the queries of a plan, and what they found."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from etl_platform.core.stopping import watch
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


Counting: TypeAlias = "Future[Mapping[str, ValueCounts]]"
"""Every value of some columns being counted."""


@contextmanager
def counting(
    con: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[str]
) -> Generator[Counting]:
    """Count the values of some columns in a cursor of its own.

    DuckDB counts while Python looks at a sample and works on rows: two cores are kept busy.
    """
    with con.cursor() as beside, ThreadPoolExecutor(1) as pool:
        beside.execute("SET TimeZone = 'UTC'")  # a cursor does not inherit it
        watch(beside)
        yield pool.submit(count_values, beside, relation, columns)


def scan(con: duckdb.DuckDBPyConnection, plan: AuditPlan, counts: Counting) -> Scanned:
    """Run the other queries of a plan; each reads columns of its own."""
    measures: dict[tuple[str, str], Any] = {}
    if plan.measure_sql:
        table = con.sql(plan.measure_sql).to_arrow_table()
        measures = {key: plain(table.column(i))[0] for i, key in enumerate(plan.measures)}
    if plan.rows is None:
        return Scanned(counts.result(), measures)
    passed = pass_over_rows(con, plan.relation, plan.rows)
    measures |= {("", rule): bad for rule, bad in passed.bad.items()}
    return Scanned(counts.result(), measures, passed)
