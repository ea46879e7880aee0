"""The audit: contract and profile of staged files, before anyone can read them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from etl_platform.core.duck import literal, quote
from etl_platform.core.errors import PermanentError
from etl_platform.core.staged import Staged
from etl_platform.quality.confirmation import confirm
from etl_platform.quality.contract import Contract
from etl_platform.quality.counts import plain
from etl_platform.quality.facts import Facts, RelationOf
from etl_platform.quality.judge import Verdict, judge
from etl_platform.quality.look import columns_to_count, frequent_values, is_countable
from etl_platform.quality.outcome import Audit, Outcome, SampleRow
from etl_platform.quality.plan import plan_audit
from etl_platform.quality.profiling import build_profile
from etl_platform.quality.quarantine import kept_sql, rejected_sql
from etl_platform.quality.rules import ColumnRule, Rule
from etl_platform.quality.scan import scan
from etl_platform.quality.steps import NotRun, Step
from etl_platform.quality.values import json_safe

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_SAMPLE_ROWS = 10


def audit(
    con: duckdb.DuckDBPyConnection,
    staged: Staged,
    contract: Contract,
    *,
    relation_of: RelationOf,
    existing: str | None = None,
) -> Audit:
    """Judge every rule of a contract on staged files and profile them.

    Statistics of the files settle what they can; columns with few distinct values are counted and
    judged on those values; what remains is counted row by row, in the same pass as the profile.

    Args:
        con: a DuckDB session that can open the staged files.
        relation_of: FROM-able DuckDB SQL of another lake table, None when it does not exist.
        existing: FROM-able SQL of rows that stay in the table beside the staged ones (append).

    Raises:
        UnknownName, ConfigError: the contract does not fit the table.
        PermanentError: a rule could not be judged, or DuckDB and pandera judged differently.
    """
    started = time.perf_counter()
    contract.check(staged.schema, staged.table)

    @cache
    def columns_of(relation: str) -> Mapping[str, str]:
        described = con.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
        return {str(row[0]): str(row[1]) for row in described}

    counted = columns_to_count(con, staged)
    facts = Facts(staged, counted, relation_of, existing, columns_of)
    measured = [f.name for f in staged.schema if is_countable(f.type) and f.name not in counted]
    frequent = dict(frequent_values(con, facts.relation, measured if facts.rows else []))
    plan = plan_audit(contract, facts, frequent)
    scanned = scan(con, plan)
    outcomes = tuple(
        _outcome(con, facts, rule, step, judge(con, facts, rule, step, scanned))
        for rule, step in zip(contract.rules, plan.steps.values(), strict=True)
    )
    aside = [o.rule for o in outcomes if o.status == "failed" and o.rule.action == "quarantine"]
    return Audit(
        table=staged.table,
        outcomes=outcomes,
        profile=build_profile(facts, scanned, frequent),
        seconds=time.perf_counter() - started,
        kept_sql=kept_sql(facts, aside) if aside else None,
        rejected_sql=rejected_sql(facts, aside) if aside else None,
    )


def _outcome(
    con: duckdb.DuckDBPyConnection, facts: Facts, rule: Rule, step: Step, verdict: Verdict | None
) -> Outcome:
    if verdict is None:
        reason = step.reason if isinstance(step, NotRun) else ""
        return Outcome(rule, "not_run", checked_rows=0, reason=reason)
    violation = rule.violation(facts)
    sql = f"SELECT * FROM {facts.relation} WHERE {violation}" if violation else None
    return Outcome(
        rule,
        "failed" if verdict.failed else "passed",
        failed_rows=verdict.failed_rows,
        checked_rows=facts.rows,
        sample=_sample(con, facts, rule, sql, verdict) if verdict.failed_rows else [],
        sql=sql,
        lake_sql=_lake_sql(facts, rule, violation) if verdict.failed_rows else None,
        reason=verdict.reason,
    )


def _lake_sql(facts: Facts, rule: Rule, violation: str | None) -> str | None:
    """Where a person finds the broken rows once the batch has been dealt with."""
    table = facts.staged.table
    if rule.action == "quarantine":
        return (
            f"SELECT *\nFROM {table.quarantine}\n"
            f"WHERE list_contains(string_split(_rule, ','), {literal(rule.name)})"
        )
    if rule.action == "block" or violation is None:
        return None
    names = {facts.relation: table.sql, facts.existing: table.sql}
    if rule.references is not None:
        names[facts.relation_of(rule.references)] = rule.references.sql
    for relation, name in names.items():
        if relation is not None:
            violation = violation.replace(relation, name)
    return f"SELECT *\nFROM {table}\nWHERE {violation}"


def _sample(
    con: duckdb.DuckDBPyConnection, facts: Facts, rule: Rule, sql: str | None, verdict: Verdict
) -> list[SampleRow]:
    """Some broken rows, as pandera agrees that they are."""
    if sql is None:
        return _at(con, facts, verdict.positions)
    order = (
        "" if isinstance(rule, ColumnRule) else " ORDER BY " + ", ".join(map(quote, rule.columns))
    )
    table = con.sql(f"{sql}{order} LIMIT {_SAMPLE_ROWS}").to_arrow_table()
    if not len(table):
        raise PermanentError(
            f"rule {rule.name}: {verdict.failed_rows:,} rows were counted as broken, none is found",
            fix="report this as a bug of the rule",
        )
    if isinstance(rule, ColumnRule):
        import polars as pl

        kind = facts.kind(rule.column)
        confirm(rule, kind, pl.Series(pl.from_arrow(table[rule.column])), bad=True)
    return _rows(table)


def _at(
    con: duckdb.DuckDBPyConnection, facts: Facts, positions: tuple[int, ...]
) -> list[SampleRow]:
    if not positions:
        return []
    columns = ", ".join(quote(f.name) for f in facts.staged.schema)
    numbered = f"SELECT *, row_number() OVER () AS __row FROM {facts.relation}"
    wanted = ", ".join(str(position + 1) for position in positions)
    return _rows(
        con.sql(
            f"SELECT {columns} FROM ({numbered}) WHERE __row IN ({wanted}) ORDER BY __row"
        ).to_arrow_table()
    )


def _rows(table: pa.Table) -> list[SampleRow]:
    names: list[str] = table.column_names
    columns: list[list[Any]] = [plain(column) for column in table.columns]
    return [
        {name: json_safe(value) for name, value in zip(names, row, strict=True)}
        for row in zip(*columns, strict=True)
    ]
