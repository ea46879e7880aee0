"""Every table with its schema and alias, every column with its table, every star spelled out."""

from __future__ import annotations

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify as sqlglot_qualify
from sqlglot.schema import MappingSchema

from etl_platform.core.errors import PermanentError
from etl_platform.core.names import DEFAULT_SCHEMA
from etl_platform.planner.columns import check_columns
from etl_platform.planner.tables import Schema, check_tables, table_references

DIALECT = "duckdb"


def qualify(tree: exp.Query, schema: Schema, *, where: str | None = None) -> exp.Query:
    """A copy of the tree in which every name is complete and, as DuckDB does it, lower case.

    Tables of unknown schema (None) are accepted: a column that could come from one of them stays
    as it is written, and so does a star over it.

    Args:
        tree: what :func:`~etl_platform.planner.parsing.parse` gives; not changed.
        schema: columns of every table that may be read.
        where: the file that the text comes from, for error messages.

    Raises:
        UnknownName: a table or column does not exist, with file, line, column and nearest name.
        PermanentError: names are ambiguous, or the statement uses something that only DuckDB
            itself can resolve.
    """
    tables = check_tables(tree, schema.keys(), where=where)
    # One entry per schema first: sqlglot wants the nesting of all tables to be the same.
    by_schema: dict[str, dict[str, object]] = {table.schema: {} for table in tables}
    for table in tables:
        columns = schema[table]
        if columns is not None:
            by_schema[table.schema][table.name] = dict(columns)
    known: dict[str, object] = {name: found for name, found in by_schema.items() if found}
    complete = all(schema[table] is not None for table in tables)
    # sqlglot's own check overlooks some clauses, and knows neither place nor nearest name.
    check_columns(tree, schema, where=where)
    copy = tree.copy()
    for node in table_references(copy):
        if not node.db:
            node.set("db", exp.to_identifier(DEFAULT_SCHEMA))
    try:
        qualified = sqlglot_qualify(
            copy,
            dialect=DIALECT,
            schema=MappingSchema(known, dialect=DIALECT),
            validate_qualify_columns=complete,
            allow_partial_qualification=not complete,
        )
    except SqlglotError as error:
        raise PermanentError(f"{where or 'SQL'}: {error}") from error
    assert isinstance(qualified, exp.Query)
    return qualified
