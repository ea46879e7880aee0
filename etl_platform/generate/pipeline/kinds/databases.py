"""A database -> one source of all of its tables, with what its catalogue promises as contracts."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING

from etl_platform.core.inert import prose
from etl_platform.core.names import TableName, to_identifier
from etl_platform.generate.pipeline.inert import exact
from etl_platform.generate.pipeline.kinds.database_tables import TableEntry, table_entry
from etl_platform.generate.pipeline.model import Ask, Secret, Source, StagedColumn, StagedTable
from etl_platform.generate.pipeline.personal import personal_columns
from etl_platform.generate.pipeline.secret_urls import referenced
from etl_platform.generate.pipeline.yaml_text import At, Yaml

if TYPE_CHECKING:
    from etl_platform.sources.database import SourceTable

TYPE = "etl_platform.DatabaseSourceComponent"
SCHEMES = ("postgresql", "postgres", "mysql", "mariadb", "sqlite", "duckdb")


def describe(ask: Ask) -> Source:
    """Look at a database's catalogue and some of its values.

    Raises:
        SourceUnavailable, PermanentError: as :func:`~etl_platform.sources.database.reflect`.
        ConfigError: there is no table.
    """
    from etl_platform.generate.inspection import indexed_columns
    from etl_platform.sources.database import Database, reflect
    from etl_platform.sources.database.tables import tables_to_json

    began = time.monotonic()
    # What judges values is loaded while the database is waited for.
    Thread(target=import_module, args=("etl_platform.quality.pii",), daemon=True).start()
    with referenced(ask) as (url, secrets):
        database = Database(ask.name, url)
        try:
            tables = reflect(
                database,
                ask.schemas or _texts(ask.existing.get("source_schemas")),
                _texts(ask.existing.get("include")) or ("*",),
                _texts(ask.existing.get("exclude")) or (),
                views=bool(ask.existing.get("views", False)),
            )
            left_s = max(0.2, ask.budget_s - (time.monotonic() - began))
            with ThreadPoolExecutor(2) as both:
                indexes = both.submit(indexed_columns, database, tables)
                personal = personal_columns(database, tables, left_s)
                indexed = indexes.result()
            dialect = database.dialect.name
        finally:
            database.close()
    targets, refused = _targets(tables, _schema(ask))
    by_source = {table.full_name: target for target, table in targets}
    entries = [
        table_entry(
            table,
            indexed.get((table.schema, table.name), frozenset()),
            personal.kinds.get(table.full_name, {}),
            by_source,
        )
        for _, table in targets
    ]
    kept = tuple(table for _, table in targets)
    said = f'{{\n "dialect": {json.dumps(dialect)},\n "tables": {tables_to_json(kept)}\n}}'
    told = [f"left out: {one}" for one in refused]
    if personal.missed:
        told.append(
            f"{personal.missed} tables were not looked at for personal data: {personal.why}"
        )
    return _source(ask, url, secrets, targets, entries, refused, said, told)


def _source(
    ask: Ask,
    url: str,
    secrets: tuple[Secret, ...],
    targets: Sequence[tuple[TableName, SourceTable]],
    entries: Sequence[TableEntry],
    refused: Mapping[str, str],
    state: str,
    told: Sequence[str],
) -> Source:
    attributes: dict[str, Yaml] = {"url": exact(url), "target_schema": _schema(ask)}
    # What limits this look is carried over, so that it is no drift of the source.
    schemas = [exact(one) for one in ask.schemas or ()] or ask.existing.get("source_schemas")
    if schemas:
        attributes["source_schemas"] = schemas
    exclude = [*(_texts(ask.existing.get("exclude")) or ())]
    exclude += [exact(_pattern(one)) for one in refused]
    if exclude:
        attributes["exclude"] = exclude
    attributes["defaults"] = {"freshness": {"fail_after": "36h", "warn_after": "26h"}}
    attributes["schedule"] = {"cron": "0 6 * * *", "timezone": "UTC"}
    attributes["tables"] = {one.key: one.options for one in entries}
    notes: dict[At, Sequence[str]] = {
        (): (
            f"{len(entries)} tables as they were found. Rules are what the database promises:",
            "while a key repeats nothing is published, other rows that break a rule are kept",
            "aside, and a reference without its row is a warning: tables are not read at once.",
        )
    }
    for one in entries:
        if one.notes:
            notes["attributes", "tables", one.key] = one.notes
    return Source(
        name=ask.name,
        type=TYPE,
        attributes=attributes,
        notes=notes,
        staged=tuple(_staged(target, table) for target, table in targets),
        state=state,
        secrets=secrets,
        told=tuple(told),
    )


def _schema(ask: Ask) -> str:
    return str(ask.existing.get("target_schema") or ask.name)


def _targets(
    tables: Sequence[SourceTable], schema: str
) -> tuple[list[tuple[TableName, SourceTable]], dict[str, str]]:
    """What can be loaded, and why the others cannot."""
    from etl_platform.sources.database.targets import named_targets

    targets: dict[TableName, SourceTable] = {}
    refused: dict[str, str] = {}
    for target, table in named_targets(tables, schema):
        if target in targets:
            both = f"would be the same table as {targets[target].full_name}"
            refused[table.full_name] = f"{prose(table.full_name)}: {both}"
        elif not table.columns:
            refused[table.full_name] = f"{prose(table.full_name)}: it has no columns"
        else:
            targets[target] = table
    return list(targets.items()), refused


def _staged(target: TableName, table: SourceTable) -> StagedTable:
    names: dict[str, str] = {}
    for column in table.columns:
        if not column.name.isprintable():
            continue  # would be written raw into SQL
        wanted = to_identifier(column.name)
        name, number = wanted, 2
        while name in names.values():
            name, number = f"{wanted}_{number}", number + 1
        names[column.name] = name
    about = {column.name: column.comment for column in table.columns}
    return StagedTable(
        table=target,
        columns=tuple(StagedColumn(*one, about[one[0]]) for one in names.items()),
        description=prose(table.comment) if table.comment else None,
    )


def _pattern(name: str) -> str:
    """A pattern that means this name only: characters of patterns stand in brackets."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


def _texts(value: Yaml) -> tuple[str, ...] | None:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(str(one) for one in value)
    return None
