"""The tables that a workload reads: their columns, rows and the indexes that they have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from etl_platform.sources.database.advice.model import ExistingIndex, Statement, Table, TableId

if TYPE_CHECKING:
    from sqlalchemy import Connection, Inspector
    from sqlalchemy.engine.interfaces import ReflectedIndex

    from etl_platform.sources.database.dialects.base import Dialect


@dataclass(frozen=True)
class Catalogue:
    """Tables by name, as the database resolves names.

    Args:
        schemas: where a name without schema is looked for, in this order.
        folds: whether an unquoted name is lower case, whatever is written (PostgreSQL).
        ignores_case: whether upper and lower case name the same (SQLite's tables, columns of both
            SQLite and MariaDB).
    """

    tables: tuple[Table, ...]
    schemas: tuple[str | None, ...]
    folds: bool

    def table(self, named: exp.Table) -> Table | None:
        """The table that a statement names; None for a view or what is not known."""
        wanted = self.name(named.this)
        schemas = (self.name(named.args["db"]),) if named.args.get("db") else self.schemas
        for schema in schemas:
            for table in self.tables:
                if self._same(table.id.name, wanted) and (
                    table.id.schema is None or table.id.schema == schema
                ):
                    return table
        return None

    def column(self, table: Table, named: exp.Column) -> str | None:
        """The column of the table that is named so."""
        wanted = self.name(named.this)
        return next((name for name in table.columns if self._same(name, wanted)), None)

    def name(self, identifier: object) -> str:
        """An identifier as the database stores it."""
        if not isinstance(identifier, exp.Identifier):
            return str(getattr(identifier, "name", identifier))
        folded = self.folds and not identifier.quoted
        return identifier.name.lower() if folded else identifier.name

    def _same(self, stored: str, wanted: str) -> bool:
        return stored == wanted if self.folds else stored.casefold() == wanted.casefold()


def read_catalogue(
    connection: Connection,
    dialect: Dialect,
    statements: Sequence[Statement],
    written: dict[TableId, int] | None = None,
) -> Catalogue:
    """Look at the tables that the statements name, and at no others.

    Args:
        written: rows written to each table, where the database counts them.
    """
    import sqlalchemy as sa

    inspector = sa.inspect(connection)
    schemas = _search_path(connection, dialect, inspector)
    named = {
        (found.args["db"].name if found.args.get("db") else None, found.name)
        for statement in statements
        for found in statement.tree.find_all(exp.Table)
    }
    folded = {name.casefold() for _, name in named}
    asked = {schema for schema, _ in named if schema}
    every: list[str | None] = list(
        dict.fromkeys([*schemas, *(asked if schemas != (None,) else ())])
    )
    known = set(inspector.get_schema_names()) | {None}
    tables: list[Table] = []
    for schema in every:
        place = schema if schema in known else (schema or "").lower()
        if place not in known:
            continue
        names = [n for n in inspector.get_table_names(place) if n.casefold() in folded]
        tables.extend(_tables(connection, dialect, inspector, place, names, written or {}))
    return Catalogue(tuple(tables), schemas, folds=dialect.name == "postgresql")


def _search_path(
    connection: Connection, dialect: Dialect, inspector: Inspector
) -> tuple[str | None, ...]:
    if dialect.name == "sqlite":
        return (None,)
    if dialect.name == "postgresql":
        found = connection.exec_driver_sql("SELECT current_schemas(false)").scalar_one()
        return tuple(found)
    return (inspector.default_schema_name,)


def _tables(
    connection: Connection,
    dialect: Dialect,
    inspector: Inspector,
    schema: str | None,
    names: list[str],
    written: dict[TableId, int],
) -> list[Table]:
    if not names:
        return []
    catalog = dialect.catalog(connection, schema)
    columns: dict[str, list[str]] = {}
    for table, column in catalog.declared:
        columns.setdefault(table, []).append(column)
    return [
        Table(
            id=TableId(schema, name),
            columns=tuple(columns.get(name, ())),
            indexes=tuple(_indexes(dialect, inspector, schema, name)),
            rows=catalog.estimated_rows.get(name),
            rows_written=written.get(TableId(schema, name)),
        )
        for name in names
    ]


def _indexes(
    dialect: Dialect, inspector: Inspector, schema: str | None, table: str
) -> Iterable[ExistingIndex]:
    def plain(columns: Sequence[str | None]) -> tuple[str, ...]:
        kept: list[str] = []
        for column in columns:
            if column is None:  # an expression: what follows helps no search by columns alone
                break
            kept.append(dialect.column_name(column))
        return tuple(kept)

    key = inspector.get_pk_constraint(table, schema)
    if key["constrained_columns"]:
        yield ExistingIndex(key["name"] or "primary key", plain(key["constrained_columns"]))
    for unique in inspector.get_unique_constraints(table, schema):
        yield ExistingIndex(unique["name"] or "unique", plain(unique["column_names"]))
    for index in inspector.get_indexes(table, schema):
        included = set(index.get("include_columns") or ())
        keys = [name for name in index["column_names"] if name not in included]
        yield ExistingIndex(index["name"] or "", plain(keys), _partial(index))


def _partial(index: ReflectedIndex) -> bool:
    options = index.get("dialect_options") or {}
    method = options.get("postgresql_using") or "btree"
    return method != "btree" or any(str(name).endswith("_where") for name in options)
