"""What a database offers: its tables, how large they are, and how each could be extracted."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl_platform.generate.sizes import table_sizes

if TYPE_CHECKING:
    from etl_platform.selection import Capabilities
    from etl_platform.sources.database import Database, SourceColumn, SourceTable

_CHANGED = re.compile(r"updat|modif|chang|last_?(seen|edit|write)|mtime|_?version$", re.IGNORECASE)
_CREATED = re.compile(r"creat|insert|added|ctime|placed|occurred|logged", re.IGNORECASE)
_PROBLEMS = {
    "unconstrained_numeric": "numeric without precision: set unconstrained_numeric to string or "
    "decimal(p, s)",
    "unsupported": "no lossless type in the lake: set unsupported: string",
    "untyped": "declares no type and has no values that tell: declare it under types",
}


@dataclass(frozen=True, slots=True)
class CursorCandidate:
    """A column that incremental extraction might follow.

    ``sees`` is ``changes`` or ``new rows``: a guess from type, key and name, which whoever knows
    the source has to confirm. Without an index every run scans the table.
    """

    column: str
    type: str
    sees: str
    indexed: bool
    nullable: bool


@dataclass(frozen=True, slots=True)
class RiskyColumn:
    """A column whose type has no lossless place in the lake: it needs a declaration."""

    column: str
    source_type: str
    why: str


@dataclass(frozen=True, slots=True)
class UnfitEngine:
    """An engine that would change values of a table: it is never chosen for it."""

    engine: str
    column: str
    why: str


@dataclass(frozen=True, slots=True)
class TableInspection:
    """One table or view. Rows and bytes are the database's estimates; None where it has none.

    ``engines`` are those that read it without loss, the fastest by declaration first; ``unfit``
    says which columns keep the others from it.
    """

    name: str
    kind: str
    columns: int
    estimated_rows: int | None
    size_bytes: int | None
    primary_key: tuple[str, ...]
    foreign_keys: tuple[str, ...]
    cursors: tuple[CursorCandidate, ...]
    risky: tuple[RiskyColumn, ...]
    engines: tuple[str, ...]
    unfit: tuple[UnfitEngine, ...]


def inspect_database(
    database: Database, schemas: Sequence[str] | None = None, views: bool = False
) -> tuple[TableInspection, ...]:
    """Look at every table, without reading a row of a typed one.

    Raises:
        SourceUnavailable, PermanentError: as :func:`~etl_platform.sources.database.reflect`.
    """
    from etl_platform.sources.database import reflect

    tables = reflect(database, schemas, views=views)
    sizes = table_sizes(database)
    indexed = indexed_columns(database, tables)
    return tuple(
        _inspected(
            database,
            table,
            sizes.get((table.schema, table.name)),
            indexed.get((table.schema, table.name), frozenset()),
        )
        for table in tables
    )


def _inspected(
    database: Database, table: SourceTable, size_bytes: int | None, indexed: Collection[str]
) -> TableInspection:
    engines = _preflight(database, table)
    lossless = [one for one in engines if one.lossless and not one.degrades]
    lossless.sort(key=lambda one: -one.prior_rows_per_s)
    return TableInspection(
        name=table.full_name,
        kind=table.kind,
        columns=len(table.columns),
        estimated_rows=table.estimated_rows,
        size_bytes=size_bytes,
        primary_key=table.primary_key,
        foreign_keys=tuple(
            f"{', '.join(key.columns)} → "
            + (f"{key.referred_schema}." if key.referred_schema else "")
            + f"{key.referred_table} ({', '.join(key.referred_columns)})"
            for key in table.foreign_keys
        ),
        cursors=cursor_candidates(table, indexed),
        risky=tuple(
            RiskyColumn(column.name, column.source_type, _PROBLEMS[column.problem])
            for column in table.columns
            if column.problem
        ),
        engines=tuple(one.name for one in lossless),
        unfit=tuple(
            UnfitEngine(engine.name, one.column, one.why)
            for engine in engines
            for one in engine.degrades
        ),
    )


def cursor_candidates(table: SourceTable, indexed: Collection[str]) -> tuple[CursorCandidate, ...]:
    """Columns that may only grow: what sees changes before what sees new rows, indexed first."""
    found = [
        CursorCandidate(
            column.name, column.source_type, sees, column.name in indexed, column.nullable
        )
        for column in table.columns
        if (sees := _sees(table, column)) is not None
    ]
    return tuple(sorted(found, key=lambda one: (one.sees != "changes", not one.indexed)))


def _sees(table: SourceTable, column: SourceColumn) -> str | None:
    kind = column.arrow_type or ""
    in_time = kind.startswith("timestamp")
    counts = kind.startswith("int")
    if (in_time or counts) and _CHANGED.search(column.name):
        return "changes"
    if counts and table.primary_key == (column.name,):
        return "new rows"
    if (in_time or kind == "date32") and _CREATED.search(column.name):
        return "new rows"
    return None


def _preflight(database: Database, table: SourceTable) -> tuple[Capabilities, ...]:
    """What each engine would do, were every column without a lossless type read as text."""
    from etl_platform.sources.database import Extraction, TypePolicy, capabilities

    untyped = {column.name: "string" for column in table.columns if column.problem == "untyped"}
    policy = TypePolicy(unconstrained_numeric="string", unsupported="string")
    return capabilities(database, Extraction(table=table, policy=policy, types=untyped))


def indexed_columns(
    database: Database, tables: Sequence[SourceTable]
) -> Mapping[tuple[str | None, str], frozenset[str]]:
    """Columns that are first in an index or in the primary key."""
    import sqlalchemy as sa

    found: dict[tuple[str | None, str], set[str]] = {
        (table.schema, table.name): set(table.primary_key[:1]) for table in tables
    }
    with database.session() as connection:
        inspector = sa.inspect(connection)
        for schema in {table.schema for table in tables}:
            for at, indexes in inspector.get_multi_indexes(schema).items():
                firsts = {index["column_names"][0] for index in indexes}
                if at in found:
                    found[at] |= {name for name in firsts if name is not None}
    return {at: frozenset(names) for at, names in found.items()}
