"""One table of a database as the options of its source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl_platform.core.inert import prose
from etl_platform.core.names import TableName, to_identifier
from etl_platform.generate.inspection import CursorCandidate, cursor_candidates
from etl_platform.generate.pipeline.yaml_text import Yaml

if TYPE_CHECKING:
    from etl_platform.sources.database import SourceTable

LEAST_INCREMENTAL_ROWS = 10_000
"""Smaller tables are read whole: quicker than finding out what changed, and deletes are seen."""


@dataclass(frozen=True, slots=True)
class TableEntry:
    """A key below ``tables``, its options, and what stands above it as comments."""

    key: str
    options: Mapping[str, Yaml]
    notes: tuple[str, ...]


def table_entry(
    table: SourceTable,
    indexed: Collection[str],
    personal: Mapping[str, str],
    targets: Mapping[str, TableName],
) -> TableEntry:
    """Decide how a table is read and what it promises.

    Args:
        indexed: columns that are first in an index.
        personal: kind of personal data by column.
        targets: lake table by the source table's full name.
    """
    options: dict[str, Yaml] = {}
    notes: list[str] = []
    if table.estimated_rows is not None:
        rows = f"{table.estimated_rows:,} row{'' if table.estimated_rows == 1 else 's'}"
        notes.append(f"about {rows} when this was written")
    if table.comment:
        options["description"] = prose(table.comment)
    if personal:
        options["tags"] = {"pii": "-".join(sorted(set(personal.values())))}
        listed = ", ".join(f"{name} ({kind})" for name, kind in personal.items())
        notes.append(f"personal data: {prose(listed)}")
    _reading(table, cursor_candidates(table, indexed), options, notes)
    _types(table, options, notes)
    rules = _rules(table, targets)
    if rules:
        options["contract"] = {"rules": rules}
    return TableEntry(table.full_name, options, tuple(notes))


def _reading(
    table: SourceTable,
    cursors: tuple[CursorCandidate, ...],
    options: dict[str, Yaml],
    notes: list[str],
) -> None:
    large = table.estimated_rows is None or table.estimated_rows >= LEAST_INCREMENTAL_ROWS
    for one in cursors:
        if one.sees == "changes" and not one.nullable and table.primary_key and large:
            read: dict[str, Yaml] = {"cursor": one.column}
            if one.type.lower().startswith(("timestamp", "datetime")):
                read["lookback"] = "1h"
            options["incremental"] = read
            if not one.indexed:
                notes.append(f"{prose(one.column)} has no index: every run scans the table")
            return
    if cursors and large:
        listed = ", ".join(prose(one.column) for one in cursors)
        notes.append(f"read whole; incremental: {{cursor: ...}} might follow {listed}")
    elif not table.primary_key:
        notes.append("no primary key: read whole")
    for one in cursors:
        if one.sees == "new rows" and one.type.lower().startswith(("timestamp", "date")) and large:
            notes.append(f"could be partitioned by {prose(one.column)}: partition: {{...}}")
            return


def _types(table: SourceTable, options: dict[str, Yaml], notes: list[str]) -> None:
    problems = {column.problem for column in table.columns if column.problem}
    if "unconstrained_numeric" in problems:
        options["unconstrained_numeric"] = "string"
        notes.append("numeric without precision is kept as its exact text; decimal(p, s) if known")
    if "unsupported" in problems:
        options["unsupported"] = "string"
        notes.append("types without a place in the lake are kept as the database's text")
    untyped: Yaml = {c.name: "string" for c in table.columns if c.problem == "untyped"}
    if untyped:
        options["types"] = untyped


def _rules(table: SourceTable, targets: Mapping[str, TableName]) -> list[Yaml]:
    """What the database promises. Names that fold to one would be one check: they get none."""
    folded = Counter(to_identifier(column.name) for column in table.columns)

    def usable(name: str) -> bool:
        return folded[to_identifier(name)] == 1 and to_identifier(name).strip("_") != ""

    rules: list[Yaml] = []
    if table.primary_key and all(map(usable, table.primary_key)):
        rules.append({"rule": "unique", "columns": list(table.primary_key)})
    rules.extend(
        {"rule": "not_null", "column": column.name}
        if column.name in table.primary_key
        else {"rule": "not_null", "column": column.name, "action": "quarantine"}
        for column in table.columns
        if not column.nullable and usable(column.name) and column.problem != "untyped"
    )
    said: set[tuple[str, ...]] = set()
    for key in table.foreign_keys:
        schema = key.referred_schema or table.schema
        name = f"{schema}.{key.referred_table}" if schema else key.referred_table
        target = targets.get(name)
        whole = len(key.columns) == len(key.referred_columns) and key.referred_columns
        if target is None or not whole or key.columns in said or not all(map(usable, key.columns)):
            continue
        said.add(key.columns)
        rules.append(
            {
                "rule": "foreign_key",
                "columns": list(key.columns),
                "references": [f"{target.sql}.{one}" for one in key.referred_columns],
                "action": "warn",
            }
        )
    return rules
