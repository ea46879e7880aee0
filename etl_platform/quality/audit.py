"""The audit: contract and profile of staged files, before anyone can read them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

from etl_platform.core.staged import Staged
from etl_platform.quality.contract import Contract
from etl_platform.quality.evidence import outcome_of, sql_errors
from etl_platform.quality.facts import Facts, RelationOf
from etl_platform.quality.look import columns_to_count
from etl_platform.quality.masking import Masks
from etl_platform.quality.outcome import Audit
from etl_platform.quality.plan import plan_audit
from etl_platform.quality.profile import LevelChoice
from etl_platform.quality.profiling import build_profile, look, measures, rows_to_read
from etl_platform.quality.quarantine import kept_sql, rejected_sql
from etl_platform.quality.scan import counting, scan

if TYPE_CHECKING:
    import duckdb


def audit(
    con: duckdb.DuckDBPyConnection,
    staged: Staged,
    contract: Contract,
    *,
    relation_of: RelationOf,
    existing: str | None = None,
    previous_rows: int | None = None,
    now: datetime | None = None,
    level: LevelChoice = "basic",
) -> Audit:
    """Judge every rule of a contract on staged files and profile them.

    Statistics of the files settle what they can; columns with few distinct values are counted and
    judged on those values; what remains is counted row by row, in the same pass as the profile.

    Args:
        con: a DuckDB session that can open the staged files.
        relation_of: FROM-able DuckDB SQL of another lake table, None when it does not exist.
        existing: FROM-able SQL of rows that stay in the table beside the staged ones (append).
        previous_rows: rows of the batch before this one, None when there was none.
        now: against what ages are measured; the current moment when None.
        level: how much the profile says.

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
    if level == "off":
        counted &= {name for rule in contract.rules for name in rule.reads}
    moment = now or datetime.now(UTC)
    facts = Facts(staged, counted, relation_of, existing, columns_of, previous_rows, moment)
    facts = replace(facts, shown=Masks(con, facts).shown)
    with counting(con, facts.relation, facts.counted_columns) as counts:
        seen = look(con, facts, level)
        plan = plan_audit(contract, facts, measures(facts, seen), rows_to_read(facts, seen))
        with sql_errors(con, staged, contract):
            scanned = scan(con, plan, counts)
    with sql_errors(con, staged, contract):
        outcomes = tuple(
            outcome_of(con, facts, rule, step, scanned)
            for rule, step in zip(contract.rules, plan.steps.values(), strict=True)
        )
    aside = [o.rule for o in outcomes if o.failed_rows and o.rule.action == "quarantine"]
    return Audit(
        table=staged.table,
        outcomes=outcomes,
        profile=build_profile(facts, seen, scanned, outcomes),
        seconds=time.perf_counter() - started,
        kept_sql=kept_sql(facts, aside) if aside else None,
        rejected_sql=rejected_sql(facts, aside) if aside else None,
    )
