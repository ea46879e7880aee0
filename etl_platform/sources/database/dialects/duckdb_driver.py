"""DuckDB behind SQLAlchemy: as much of a dialect as reading takes.

The public dialect for SQLAlchemy stands on PostgreSQL's and has seen no release since DuckDB 1.2.
DuckDB's own DB-API differs in two points: a cursor is a connection of its own, outside the
transaction, and ending a transaction where there is none is an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import types as sa
from sqlalchemy.engine.default import DefaultDialect

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb
    from sqlalchemy import Connection
    from sqlalchemy.engine import interfaces


class Session:
    """A connection whose cursors share its transaction."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.duckdb = connection
        self._began = False

    def begin(self) -> None:
        self.duckdb.execute("BEGIN TRANSACTION")
        self._began = True

    def cursor(self) -> Cursor:
        return Cursor(self.duckdb)

    def commit(self) -> None:
        self.rollback()

    def rollback(self) -> None:
        if self._began:
            self._began = False
            self.duckdb.execute("ROLLBACK")

    def interrupt(self) -> None:
        """Stop the statement that runs, from any thread."""
        self.duckdb.interrupt()

    def close(self) -> None:
        self.duckdb.close()


class Cursor:
    """One statement at a time: a new one ends the rows of the last."""

    arraysize = 1
    rowcount = -1
    lastrowid = None

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self.description: list[tuple[Any, ...]] | None = None

    def execute(self, statement: str, parameters: Sequence[object] = ()) -> None:
        if len(self._connection.extract_statements(statement)) != 1:
            raise DuckDbSql.import_dbapi().ProgrammingError("one statement at a time")
        self._connection.execute(statement, list(parameters) or None)
        self.description = self._connection.description

    def fetchone(self) -> tuple[Any, ...] | None:
        return self._connection.fetchone()

    def fetchmany(self, size: int = 1) -> list[tuple[Any, ...]]:
        return self._connection.fetchmany(size)

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self._connection.fetchall()

    def close(self) -> None:
        self.description = None


class DuckDbType(sa.UserDefinedType[Any]):
    """A type in DuckDB's own words."""

    cache_ok = True

    def __init__(self, spelled: str) -> None:
        self.spelled = spelled

    def get_col_spec(self, **kw: Any) -> str:
        del kw
        return self.spelled


class DuckDbSql(DefaultDialect):
    """Reflection by DuckDB's own functions, such as ``duckdb_columns()``."""

    name = "duckdb"
    driver = "duckdb"
    default_paramstyle = "qmark"
    supports_statement_cache = True
    supports_comments = True
    supports_native_decimal = True

    @classmethod
    def import_dbapi(cls) -> Any:
        import duckdb

        return duckdb

    def do_ping(self, dbapi_connection: Any) -> bool:
        dbapi_connection.duckdb.execute("SELECT 1").fetchall()
        return True

    def _get_default_schema_name(self, connection: Connection) -> str:
        del connection
        return "main"

    def get_schema_names(self, connection: Connection, **kw: Any) -> list[str]:
        del kw
        return _column(
            connection,
            "SELECT schema_name FROM duckdb_schemas() WHERE database_name = current_database() "
            "AND schema_name NOT IN ('information_schema', 'pg_catalog') ORDER BY 1",
        )

    def get_table_names(
        self, connection: Connection, schema: str | None = None, **kw: Any
    ) -> list[str]:
        del kw
        return _names(connection, "table", schema)

    def get_view_names(
        self, connection: Connection, schema: str | None = None, **kw: Any
    ) -> list[str]:
        del kw
        return _names(connection, "view", schema)

    def has_table(
        self, connection: Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> bool:
        del kw
        return table_name in (
            *_names(connection, "table", schema),
            *_names(connection, "view", schema),
        )

    def get_columns(
        self, connection: Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[interfaces.ReflectedColumn]:
        """The types are left to the catalog of declared types."""
        del kw
        rows = connection.exec_driver_sql(
            "SELECT column_name, is_nullable, comment FROM duckdb_columns() "
            f"WHERE {_HERE} AND table_name = ? ORDER BY column_index",
            (schema or "main", table_name),
        ).all()
        return [
            {"name": name, "type": sa.NULLTYPE, "nullable": bool(nullable), "default": None,
             "comment": comment}
            for name, nullable, comment in rows
        ]  # fmt: skip

    def get_pk_constraint(
        self, connection: Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> interfaces.ReflectedPrimaryKeyConstraint:
        del kw
        rows = _constraints(connection, "PRIMARY KEY", table_name, schema)
        return {"constrained_columns": list(rows[0][0]) if rows else [], "name": None}

    def get_foreign_keys(
        self, connection: Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[interfaces.ReflectedForeignKeyConstraint]:
        del kw
        return [
            {"name": None, "constrained_columns": list(columns), "referred_schema": schema,
             "referred_table": referred, "referred_columns": list(referred_columns), "options": {}}
            for columns, referred, referred_columns in _constraints(
                connection, "FOREIGN KEY", table_name, schema
            )
        ]  # fmt: skip

    def get_indexes(
        self, connection: Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[interfaces.ReflectedIndex]:
        """Indexes over single columns: DuckDB tells expressions as text only."""
        del kw
        rows = connection.exec_driver_sql(
            "SELECT index_name, is_unique, expressions FROM duckdb_indexes() "
            f"WHERE {_HERE} AND table_name = ?",
            (schema or "main", table_name),
        ).all()
        return [
            {"name": name, "unique": bool(unique),
             "column_names": [expressions.strip("[]").strip("'\"")]}
            for name, unique, expressions in rows
            if "," not in expressions
        ]  # fmt: skip

    def get_table_comment(
        self, connection: Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> interfaces.ReflectedTableComment:
        del kw
        found = _column(
            connection,
            f"SELECT comment FROM duckdb_tables() WHERE {_HERE} AND table_name = ?",
            (schema or "main", table_name),
        )
        return {"text": found[0] if found else None}


_HERE = "database_name = current_database() AND schema_name = ?"


def _names(connection: Connection, kind: str, schema: str | None) -> list[str]:
    statement = (
        f"SELECT {kind}_name FROM duckdb_{kind}s() WHERE NOT internal AND {_HERE} ORDER BY 1"
    )
    return _column(connection, statement, (schema or "main",))


def _constraints(
    connection: Connection, kind: str, table: str, schema: str | None
) -> Sequence[Any]:
    return connection.exec_driver_sql(
        "SELECT constraint_column_names, referenced_table, referenced_column_names "
        f"FROM duckdb_constraints() WHERE {_HERE} AND table_name = ? AND constraint_type = ?",
        (schema or "main", table, kind),
    ).all()


def _column(
    connection: Connection, statement: str, parameters: tuple[object, ...] = ()
) -> list[Any]:
    return list(connection.exec_driver_sql(statement, parameters).scalars().all())
