"""From a rule's step to its verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl_platform.core.duck import quote
from etl_platform.quality.confirmation import EnginesDisagree, confirm, failing
from etl_platform.quality.counts import ValueCounts, plain
from etl_platform.quality.custom_checks import run_custom, run_function
from etl_platform.quality.facts import Facts
from etl_platform.quality.rules import ColumnRule, CustomRule, DtypeRule, PythonRule, Rule
from etl_platform.quality.scan import Scanned
from etl_platform.quality.steps import (
    ROWS_OF_VALUE,
    Asked,
    ByFunction,
    ByPandera,
    BySchema,
    Counted,
    Measured,
    NotRun,
    PerRow,
    PerValue,
    Query,
    Settled,
    Step,
)

if TYPE_CHECKING:
    import duckdb
    import polars as pl
    import pyarrow as pa

_VALUES = "etl_platform_values"
_SHOWN_VALUES = 5


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judged rule; ``positions`` (from 0) or ``rows`` are bad ones that only Python knows."""

    failed_rows: int
    failed: bool
    reason: str = ""
    positions: tuple[int, ...] = ()
    rows: pa.Table | None = None


def judge(
    con: duckdb.DuckDBPyConnection, facts: Facts, rule: Rule, step: Step, scanned: Scanned
) -> Verdict | None:
    """The verdict on a rule; None when it was not run.

    Raises:
        EnginesDisagree: DuckDB and pandera do not find the same.
    """
    match step:
        case NotRun():
            return None
        case Settled():
            _confirm_witnesses(facts, rule, step)
            return Verdict(step.failed_rows, step.failed, step.reason)
        case PerValue():
            return _judge_values(con, facts, rule, step, scanned.counts[step.column])
        case PerRow():
            return _rows(int(scanned.measures.get(("", rule.name), 0)))
        case Query(sql):
            # fetchone would leave the session busy with an unfinished result.
            return _rows(int(con.execute(sql).fetchall()[0][0]))
        case Measured(aggregates):
            found = scanned.measures
            values = tuple(found["", f"{rule.name} {i}"] for i in range(len(aggregates)))
            return _weighed(rule.weigh(values, facts))
        case Counted(column):
            counts = scanned.counts[column]
            return _weighed(rule.weigh((len(counts.values), counts.present), facts))
        case Asked(sql):
            return _weighed(rule.weigh(con.execute(sql).fetchall()[0], facts))
        case ByFunction():
            assert isinstance(rule, PythonRule)
            failed, rows = run_function(con, facts, rule)
            return Verdict(failed, failed > 0, rows=rows)
        case BySchema():
            return _judge_form(facts, rule)
        case ByPandera():
            assert isinstance(rule, CustomRule)
            failed, positions = run_custom(con, facts, rule)
            return Verdict(failed, failed > 0, "", positions)


def _weighed(settled: Settled) -> Verdict:
    return Verdict(settled.failed_rows, settled.failed, settled.reason)


def _rows(failed: int) -> Verdict:
    return Verdict(failed, failed > 0)


def _confirm_witnesses(facts: Facts, rule: Rule, step: Settled) -> None:
    if step.witnesses and isinstance(rule, ColumnRule):
        import polars as pl
        import pyarrow as pa

        kind = facts.kind(rule.column)
        witnesses = pl.Series(pl.from_arrow(pa.array(step.witnesses, kind)))
        confirm(rule, kind, witnesses, bad=False)


def _judge_values(
    con: duckdb.DuckDBPyConnection, facts: Facts, rule: Rule, step: PerValue, counts: ValueCounts
) -> Verdict:
    """Judge the distinct values with both engines; what pandera refuses is what is shown."""
    import polars as pl

    table = pl.DataFrame({step.column: counts.values, ROWS_OF_VALUE: counts.rows})
    con.register(_VALUES, table.to_arrow())
    try:
        bad = con.sql(
            f"SELECT * FROM {_VALUES} WHERE {step.predicate} ORDER BY {quote(ROWS_OF_VALUE)} DESC"
        ).to_arrow_table()
    finally:
        con.unregister(_VALUES)
    failed = sum(bad[ROWS_OF_VALUE].to_pylist())
    if isinstance(rule, ColumnRule):
        failed_by_pandera = _weigh(failing(rule, facts.kind(rule.column), counts.values), counts)
        if failed != failed_by_pandera:
            raise EnginesDisagree(rule, failed, failed_by_pandera, counts.present)
    return Verdict(failed, failed > 0, _most_frequent(facts, step.column, bad) if failed else "")


def _weigh(refused: pl.Series, counts: ValueCounts) -> int:
    return int(counts.rows.filter(refused).sum())


def _most_frequent(facts: Facts, column: str, bad: pa.Table) -> str:
    head = bad.slice(0, _SHOWN_VALUES)
    shown = ", ".join(
        f"{facts.shown(column, value)} ({rows:,})"
        for value, rows in zip(plain(head[0]), head[1].to_pylist(), strict=True)
    )
    more = len(bad) - len(head)
    return f"values (rows): {shown}" + (f" and {more:,} more values" if more else "")


def _judge_form(facts: Facts, rule: Rule) -> Verdict:
    """Let pandera validate a frame with the staged schema and no rows."""
    import polars as pl
    from pandera.errors import SchemaErrors
    from pandera.polars import Column, DataFrameSchema

    assert isinstance(rule, DtypeRule)
    frame = pl.DataFrame(facts.staged.schema.empty_table().select([rule.column]))
    schema = DataFrameSchema({rule.column: Column(rule.polars, nullable=True)})
    try:
        schema.validate(frame, lazy=True)
    except SchemaErrors as error:
        actual = error.failure_cases["failure_case"][0]
        return Verdict(
            facts.rows, failed=True, reason=f"the type is {facts.kind(rule.column)} ({actual})"
        )
    return Verdict(0, failed=False)
