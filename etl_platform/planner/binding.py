"""Exact output columns and types of a statement, from DuckDB's own binder over empty tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from etl_platform.core.duck import quote, sealed
from etl_platform.core.errors import PermanentError, UnsupportedType
from etl_platform.core.names import TableName
from etl_platform.core.types import duckdb_type, lake_type_of_duckdb
from etl_platform.planner.columns import check_columns
from etl_platform.planner.refusals import message, refusal
from etl_platform.planner.tables import Schema, check_tables

if TYPE_CHECKING:
    from duckdb.sqltypes import DuckDBPyType


class Binder:
    """An in-memory DuckDB without data, files or network, which knows what tables look like.

    Binding takes well under a millisecond and is the engine's own word, where an imitation of its
    type rules would only be close. One session serves many statements; not for use by several
    threads at once.

    Args:
        schema: columns of the tables that statements may read; looked up when a statement is
            bound, so that the caller may add the outputs of one statement for the next.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._created: set[TableName] = set()
        self._stored: dict[str, str] = {}
        self._con = sealed()
        self._con.execute("SET errors_as_json = true")

    def output_columns(
        self, sql: str, tree: exp.Query, *, where: str | None = None
    ) -> dict[str, str]:
        """Names and types of a statement's columns, in order, as they will be in the lake.

        Types are DuckDB's texts of the lake's types: a sum of integers is HUGEINT in DuckDB and
        DECIMAL(38,0) here, because that is what a reader of the stored table sees.

        Args:
            sql: the text, in DuckDB's dialect.
            tree: the same, parsed.
            where: the file that the text comes from, for error messages.

        Raises:
            UnknownName: a table or column does not exist, with file, line, column, nearest name.
            PermanentError: anything else that DuckDB refuses, with the place where it can tell,
                or two output columns of one name.
            UnsupportedType: an output column has a type that the lake cannot keep.
        """
        import duckdb

        for table in check_tables(tree, self._schema.keys(), where=where):
            self._create(table, where)
        try:
            relation = self._con.sql(sql)
        except duckdb.Error as error:
            check_columns(tree, self._schema, where=where)
            raise refusal(self._con, sql, error, where=where) from error
        columns: dict[str, str] = {}
        for name, kind in zip(relation.columns, relation.types, strict=True):
            if name.lower() in {known.lower() for known in columns}:
                raise PermanentError(
                    f"{where or 'SQL'}: two output columns are called {name!r}",
                    fix="give one of them another name with AS, or leave it out with EXCLUDE",
                )
            columns[name] = self._stored_type(kind, name, where)
        return columns

    def close(self) -> None:
        """Free the session."""
        self._con.close()

    def _create(self, table: TableName, where: str | None) -> None:
        import duckdb

        if table in self._created:
            return
        columns = self._schema[table]
        if columns is None:
            raise PermanentError(f"{where or 'SQL'}: the columns of {table} are not known")
        fields = ", ".join(f"{quote(name)} {kind}" for name, kind in columns.items())
        try:
            self._con.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(table.schema)}")
            self._con.execute(f"CREATE TABLE {quote(table.schema)}.{quote(table.name)} ({fields})")
        except duckdb.Error as error:
            raise PermanentError(
                f"{where or 'SQL'}: DuckDB cannot have a table {table} with columns {fields}: "
                f"{message(error)}"
            ) from error
        self._created.add(table)

    def _stored_type(self, kind: DuckDBPyType, column: str, where: str | None) -> str:
        text = str(kind)
        if text not in self._stored:
            try:
                self._stored[text] = duckdb_type(lake_type_of_duckdb(kind, column))
            except UnsupportedType as error:
                raise UnsupportedType(
                    f"{where or 'SQL'}: {error.what}", valid=error.valid, fix=error.fix
                ) from error
        return self._stored[text]
