"""Every rule of a contract is an asset check of its own."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from etl_platform.core.inert import fenced, prose
from etl_platform.core.names import TableName
from etl_platform.publishing.budget import Entry, fit, shorten_items, shorten_text

if TYPE_CHECKING:
    from etl_platform.quality import Audit, Contract, Outcome
    from etl_platform.quality.rules import Rule

_CELL_CHARACTERS = 200
_REASON_CHARACTERS = 2_000
Cell = str | int | float | bool | None


def check_specs(
    key: dg.AssetKey, contract: Contract, partitions: dg.PartitionsDefinition[Any] | None = None
) -> list[dg.AssetCheckSpec]:
    """One spec per rule, named as the rule; those that block publishing are blocking.

    Args:
        partitions: those of the asset: each partition then has results of its own.
    """
    with warnings.catch_warnings():
        # Dagster previews partitioned checks and says so for each of them at every load.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return [
            dg.AssetCheckSpec(
                rule.name,
                asset=key,
                description=rule.description,
                blocking=rule.action == "block",
                metadata={"severity": rule.severity, "action": rule.action},
                partitions_def=partitions,
            )
            for rule in contract.rules
        ]


def referenced_tables(table: TableName, contract: Contract) -> set[TableName]:
    """Other tables that must be there first, because a rule reads them."""
    return {other for rule in contract.rules for other in rule.references} - {table}


def check_results(key: dg.AssetKey, audit: Audit) -> Iterator[dg.AssetCheckResult]:
    """The result of every rule that ran.

    A rule that did not run has no result: Dagster then shows the check as skipped, or as failed to
    execute when the run failed, and never as passed.
    """
    for outcome in audit.outcomes:
        if outcome.status == "not_run":
            continue
        yield dg.AssetCheckResult(
            passed=outcome.status == "passed",
            asset_key=key,
            check_name=outcome.rule.name,
            severity=_severity(outcome.rule),
            description=_summary(outcome),
            metadata=_metadata(outcome, audit.report),
        )


def not_run(audit: Audit) -> Mapping[str, str]:
    """Why each rule without a result has none."""
    return {
        outcome.rule.name: outcome.reason or "not run"
        for outcome in audit.outcomes
        if outcome.status == "not_run"
    }


def table_value(rows: Sequence[Mapping[str, object]]) -> Entry:
    """Rows as a table; values that Dagster's tables cannot hold become text, long ones are cut."""
    records = [{name: _cell(value) for name, value in row.items()} for row in rows]
    # The columns are declared: Dagster would otherwise infer them from the values of the first row.
    columns = [
        dg.TableColumn(name, _cell_type([record[name] for record in records]))
        for name in (records[0] if records else {})
    ]

    def make(count: int) -> dg.MetadataValue:
        return dg.MetadataValue.table(
            records=[dg.TableRecord(record) for record in records[:count]],
            schema=dg.TableSchema(columns=columns),
        )

    return Entry(make(len(records)), shorten_items(len(records), make))


def _severity(rule: Rule) -> dg.AssetCheckSeverity:
    return dg.AssetCheckSeverity.ERROR if rule.severity == "error" else dg.AssetCheckSeverity.WARN


def _summary(outcome: Outcome) -> str:
    """Dagster shows it as Markdown, and reasons show values."""
    if outcome.status == "passed":
        return f"{outcome.checked_rows:,} rows checked"
    broken = f"{outcome.failed_rows:,} of {outcome.checked_rows:,} rows break the rule"
    parts = [broken] if outcome.failed_rows else []
    parts += [prose(outcome.reason, _REASON_CHARACTERS)] if outcome.reason else []
    ending = {
        "block": "nothing was published",
        "quarantine": "they went to the quarantine table",
        "warn": "published all the same",
    }[outcome.rule.action]
    return "; ".join([": ".join(parts) or "broken", ending])


def _metadata(outcome: Outcome, report: str | None) -> Mapping[str, dg.MetadataValue]:
    entries = {
        "failed_rows": Entry(dg.MetadataValue.int(outcome.failed_rows)),
        "checked_rows": Entry(dg.MetadataValue.int(outcome.checked_rows)),
        "share": Entry(dg.MetadataValue.text(f"{outcome.share:.3%}")),
        "action": Entry(dg.MetadataValue.text(outcome.rule.action)),
    }
    if outcome.sample:
        entries["sample"] = table_value(_relevant_first(outcome))
    if outcome.lake_sql:
        entries["sql"] = Entry(_sql(outcome.lake_sql), shorten_text(outcome.lake_sql, _sql))
    if report is not None and outcome.failed_rows:
        entries["report"] = Entry(dg.MetadataValue.path(report))
    return fit(entries)


def _relevant_first(outcome: Outcome) -> Sequence[Mapping[str, object]]:
    """The sample with the rule's own columns in front: wide tables run out of the page."""
    columns = outcome.rule.columns
    return [{name: row[name] for name in columns if name in row} | row for row in outcome.sample]


def _sql(text: str) -> dg.MetadataValue:
    return dg.MetadataValue.md(fenced(text))


def _cell(value: object) -> Cell:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        # Fifteen digits are what a double holds; more show only how it is stored.
        return float(f"{value:.15g}")
    text = str(value)
    return text if len(text) <= _CELL_CHARACTERS else text[: _CELL_CHARACTERS - 1] + "…"


def _cell_type(values: Sequence[Cell]) -> str:
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {bool}:
        return "bool" if kinds else "string"
    if kinds <= {int}:
        return "int"
    return "float" if kinds <= {int, float} else "string"
