"""What tables a database has, their columns, keys and comments."""

from __future__ import annotations

import warnings
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from etl_platform.sources.database.tables import ForeignKey, SourceColumn, SourceTable
from etl_platform.sources.database.type_mapping import arrow_text_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Inspector
    from sqlalchemy.engine.interfaces import ReflectedColumn

    from etl_platform.sources.database.database import Database
    from etl_platform.sources.database.dialects.base import Catalog, Dialect


def reflect(
    database: Database,
    schemas: Sequence[str] | None = None,
    include: Sequence[str] = ("*",),
    exclude: Sequence[str] = (),
    views: bool = False,
) -> tuple[SourceTable, ...]:
    """Read the database's own description of its tables, ordered by schema and name.

    Args:
        database: the database.
        schemas: only these; None for every schema that is not the system's.
        include: shell patterns (``*``, ``?``, ``[a-z]``; upper and lower case differ) for the
            table's name or, where the pattern has a dot, ``schema.name``.
        exclude: patterns that win over ``include``.
        views: views (materialised ones too) as well as tables.

    A partitioned PostgreSQL table counts as one table; its partitions are left out. Columns of
    SQLite that declare no type are typed by their first 1,000 values.

    Raises:
        SourceUnavailable, PermanentError: as :meth:`~.database.Database.session`.
    """
    import sqlalchemy as sa

    found: list[SourceTable] = []
    with database.session() as connection:
        inspector = sa.inspect(connection)
        chosen = database.dialect.schemas(inspector) if schemas is None else list(schemas)
        for schema in chosen:
            names = _names(inspector, schema, views)
            catalog = database.dialect.catalog(connection, schema)
            wanted = [
                name
                for name in names
                if name not in catalog.hidden and _matches(schema, name, include, exclude)
            ]
            found.extend(_tables(connection, database.dialect, schema, wanted, names, catalog))
    return tuple(sorted(found, key=lambda table: (table.schema or "", table.name)))


def _names(inspector: Inspector, schema: str | None, views: bool) -> dict[str, bool]:
    """Table name -> whether it is a view."""
    names = dict.fromkeys(inspector.get_table_names(schema), False)
    if views:
        names |= dict.fromkeys(inspector.get_view_names(schema), True)
        if inspector.dialect.name == "postgresql":
            names |= dict.fromkeys(inspector.get_materialized_view_names(schema), True)
    return names


def _matches(schema: str | None, name: str, include: Sequence[str], exclude: Sequence[str]) -> bool:
    def any_of(patterns: Sequence[str]) -> bool:
        return any(
            fnmatchcase(name, pattern)
            or ("." in pattern and fnmatchcase(f"{schema}.{name}", pattern))
            for pattern in patterns
        )

    return any_of(include) and not any_of(exclude)


def _tables(
    connection: Connection,
    dialect: Dialect,
    schema: str | None,
    wanted: list[str],
    is_view: dict[str, bool],
    catalog: Catalog,
) -> list[SourceTable]:
    import sqlalchemy as sa
    from sqlalchemy.engine.reflection import ObjectKind
    from sqlalchemy.exc import SAWarning

    if not wanted:
        return []
    inspector = sa.inspect(connection)
    with warnings.catch_warnings():
        # A type that SQLAlchemy does not know is no surprise here: it becomes "unsupported".
        warnings.simplefilter("ignore", SAWarning)
        kind = ObjectKind.ANY
        columns = inspector.get_multi_columns(schema, filter_names=wanted, kind=kind)
        keys = inspector.get_multi_pk_constraint(schema, filter_names=wanted, kind=kind)
        references = inspector.get_multi_foreign_keys(schema, filter_names=wanted, kind=kind)
        comments = (
            inspector.get_multi_table_comment(schema, filter_names=wanted, kind=kind)
            if inspector.dialect.supports_comments
            else {}
        )
    # A table on the search path is reflected without its schema.
    default_schema = None if schema is None else inspector.default_schema_name
    tables: list[SourceTable] = []
    for name in wanted:
        at = (schema, name)
        comment = comments.get(at)
        table = SourceTable(
            schema=schema,
            name=name,
            columns=tuple(_column(dialect, name, c, catalog) for c in columns.get(at, ())),
            primary_key=tuple(map(dialect.column_name, key["constrained_columns"]))
            if (key := keys.get(at))
            else (),
            foreign_keys=tuple(
                ForeignKey(
                    columns=tuple(map(dialect.column_name, reference["constrained_columns"])),
                    referred_schema=reference["referred_schema"] or default_schema,
                    referred_table=reference["referred_table"],
                    referred_columns=tuple(map(dialect.column_name, reference["referred_columns"])),
                )
                for reference in references.get(at, ())
            ),
            comment=comment["text"] if comment else None,
            estimated_rows=catalog.estimated_rows.get(name),
            kind="view" if is_view[name] else "table",
        )
        tables.append(_observed(connection, dialect, table))
    return tables


def _column(
    dialect: Dialect, table: str, reflected: ReflectedColumn, catalog: Catalog
) -> SourceColumn:
    name = dialect.column_name(reflected["name"])
    declared = catalog.declared.get((table, name))
    if declared is None:
        declared = str(reflected["type"])
    sa_type = dialect.column_type(reflected["type"], declared)
    text, problem = (None, "untyped") if sa_type is None else arrow_text_of(sa_type)
    return SourceColumn(
        name=name,
        source_type=declared,
        arrow_type=text,
        nullable=reflected["nullable"],
        comment=reflected.get("comment"),
        problem=problem,
    )


def _observed(connection: Connection, dialect: Dialect, table: SourceTable) -> SourceTable:
    from etl_platform.sources.database.statements import from_table

    untyped = [column.name for column in table.columns if column.problem == "untyped"]
    if not untyped:
        return table
    seen = dialect.observe(connection, from_table(table), untyped)
    columns = tuple(
        replace(column, arrow_type=seen[column.name], problem=None)
        if seen.get(column.name)
        else column
        for column in table.columns
    )
    return replace(table, columns=columns)
