"""From a rule's step to what people see of it: outcome, sample, and the SQL that finds the rows."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from etl_platform.core.duck import literal, quote
from etl_platform.core.errors import PermanentError
from etl_platform.core.staged import Staged
from etl_platform.quality.confirmation import confirm
from etl_platform.quality.contract import Contract
from etl_platform.quality.counts import plain
from etl_platform.quality.facts import Facts
from etl_platform.quality.judge import Verdict, judge
from etl_platform.quality.masking import kinds_of
from etl_platform.quality.outcome import Outcome, SampleRow
from etl_platform.quality.pii import mask
from etl_platform.quality.plan import WHERE
from etl_platform.quality.rules import ColumnRule, Rule
from etl_platform.quality.scan import Scanned
from etl_platform.quality.steps import NotRun, Step
from etl_platform.quality.values import json_safe

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

SAMPLE_ROWS = 10
_OWN_SQL = ("expression", "sql", "aggregate", "reconcile")


@contextmanager
def sql_errors(
    con: duckdb.DuckDBPyConnection, staged: Staged, contract: Contract
) -> Generator[None]:
    """Turn what a value does to a contract's own SQL into an error that names the contract.

    Raises:
        PermanentError: a conversion or calculation failed on a value of the batch.
    """
    import duckdb

    try:
        yield
    except (
        duckdb.ConversionException,
        duckdb.OutOfRangeException,
        duckdb.InvalidInputException,
    ) as error:
        rules = [rule.name for rule in contract.rules if rule.where or rule.kind in _OWN_SQL]
        raise PermanentError(
            f"contract of {staged.table}: the SQL of a rule fails on a value of the batch: "
            f"{str(error).splitlines()[0]}",
            valid=f"SQL that no value breaks; rules with SQL of their own: {', '.join(rules)}",
            fix="TRY_CAST gives NULL where CAST fails; CASE WHEN keeps values from a calculation",
        ) from error


def outcome_of(
    con: duckdb.DuckDBPyConnection, facts: Facts, rule: Rule, step: Step, scanned: Scanned
) -> Outcome:
    """Judge a rule and gather what shows it.

    Raises:
        EnginesDisagree: DuckDB and pandera do not find the same.
        PermanentError: the rule could not be judged.
    """
    verdict = judge(con, facts, rule, step, scanned)
    if verdict is None:
        reason = step.reason if isinstance(step, NotRun) else ""
        return Outcome(rule, "not_run", checked_rows=0, reason=reason)
    condition = rule.condition
    checked = facts.rows
    if condition is not None and facts.rows:
        checked = int(scanned.measures[WHERE, condition.sql])
    tolerated = verdict.failed_rows > 0 and rule.tolerates(verdict.failed_rows, checked)
    sql = rule.bad_rows_sql(facts)
    return Outcome(
        rule,
        "failed" if verdict.failed and not tolerated else "passed",
        failed_rows=verdict.failed_rows,
        checked_rows=checked,
        sample=_sample(con, facts, rule, sql, verdict) if verdict.failed_rows else [],
        sql=sql,
        lake_sql=_lake_sql(facts, rule, sql) if verdict.failed_rows else None,
        reason=verdict.reason,
    )


def _lake_sql(facts: Facts, rule: Rule, sql: str | None) -> str | None:
    """Where a person finds the broken rows once the batch has been dealt with."""
    table = facts.staged.table
    if rule.action == "quarantine":
        return (
            f"SELECT *\nFROM {table.quarantine}\n"
            f"WHERE list_contains(string_split(_rule, ','), {literal(rule.name)})"
        )
    if rule.action == "block" or sql is None:
        return None
    names = {facts.relation: table.sql, facts.existing: table.sql}
    for other in rule.references:
        names[facts.relation_of(other)] = other.sql
    violation = rule.violation(facts)
    text = sql if violation is None else violation
    for relation, name in names.items():
        if relation is not None:
            text = text.replace(relation, name)
    return text if violation is None else f"SELECT *\nFROM {table}\nWHERE {text}"


def _sample(
    con: duckdb.DuckDBPyConnection, facts: Facts, rule: Rule, sql: str | None, verdict: Verdict
) -> list[SampleRow]:
    """Some broken rows, as pandera agrees that they are."""
    if verdict.rows is not None:
        return _shown(facts, verdict.rows)
    if sql is None:
        return _at(con, facts, verdict.positions)
    violation = rule.violation(facts)
    by_key = violation is not None and rule.columns and not isinstance(rule, ColumnRule)
    order = " ORDER BY " + ", ".join(map(quote, rule.columns)) if by_key else ""
    table = con.sql(
        f"{sql}{order} LIMIT {SAMPLE_ROWS}" if violation else _first(sql)
    ).to_arrow_table()
    if not len(table):
        raise PermanentError(
            f"rule {rule.name}: {verdict.failed_rows:,} rows were counted as broken, none is found",
            fix="report this as a bug of the rule",
        )
    if isinstance(rule, ColumnRule):
        import polars as pl

        kind = facts.kind(rule.column)
        confirm(rule, kind, pl.Series(pl.from_arrow(table[rule.column])), bad=True)
    return _shown(facts, table)


def _first(sql: str) -> str:
    return f"SELECT * FROM ({sql}) LIMIT {SAMPLE_ROWS}"


def _at(
    con: duckdb.DuckDBPyConnection, facts: Facts, positions: tuple[int, ...]
) -> list[SampleRow]:
    if not positions:
        return []
    columns = ", ".join(quote(f.name) for f in facts.staged.schema)
    numbered = f"SELECT *, row_number() OVER () AS __row FROM {facts.relation}"
    wanted = ", ".join(str(position + 1) for position in positions)
    return _shown(
        facts,
        con.sql(
            f"SELECT {columns} FROM ({numbered}) WHERE __row IN ({wanted}) ORDER BY __row"
        ).to_arrow_table(),
    )


def _shown(facts: Facts, table: pa.Table) -> list[SampleRow]:
    """Rows with personal data masked; names that are no columns of the batch are looked at too."""
    names: list[str] = table.column_names
    unknown = {name for name in names if name not in facts.staged.schema.names}
    kinds = kinds_of(table.select(sorted(unknown))) if unknown else {}
    columns: list[list[Any]] = [plain(column) for column in table.columns]

    def shown(name: str, value: object) -> Any:
        if name not in unknown:
            return facts.shown(name, value)
        return mask(value, kinds[name]) if name in kinds and value is not None else json_safe(value)

    return [
        {name: shown(name, value) for name, value in zip(names, row, strict=True)}
        for row in zip(*columns, strict=True)
    ]
