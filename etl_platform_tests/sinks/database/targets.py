"""The databases of the conformance suite: one line in ``TARGETS`` adds one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import duckdb
import pyarrow as pa
import pytest

from etl_platform.core.names import TableName
from etl_platform.lakehouse import Lake, Mode
from etl_platform.sinks.database import DatabaseSink, Rows, rows_of
from etl_platform_tests.servers.mariadb import MariaDbDatabase
from etl_platform_tests.servers.postgres import PostgresDatabase


class TargetDatabase(Protocol):
    """A real database, asked by its own driver."""

    kind: str
    url: str

    def execute(self, *statements: str) -> None: ...

    def query(self, sql: str) -> list[tuple[Any, ...]]: ...

    @property
    def statements(self) -> str:
        """What the server wrote of the statements that it was sent; empty where there is none."""
        ...


@dataclass(frozen=True)
class PostgresTargetDatabase:
    database: PostgresDatabase
    kind: str = "postgresql"

    @property
    def url(self) -> str:
        return self.database.url

    @property
    def statements(self) -> str:
        return self.database.server.statements

    def execute(self, *statements: str) -> None:
        self.database.execute(*statements)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with self.database.connect() as session:
            return session.execute(sql.encode()).fetchall()


@dataclass(frozen=True)
class MariaDbTargetDatabase:
    database: MariaDbDatabase
    kind: str = "mysql"

    @property
    def url(self) -> str:
        return self.database.url

    @property
    def statements(self) -> str:
        return self.database.server.statements

    def execute(self, *statements: str) -> None:
        self.database.execute(*statements)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        import pymysql

        server = self.database.server
        with (
            pymysql.connect(
                host="127.0.0.1",
                port=server.port,
                user="root",
                database=self.database.name,
                charset="utf8mb4",
                init_command="SET sql_mode = 'ANSI_QUOTES'",
            ) as session,
            session.cursor() as cursor,
        ):
            cursor.execute(sql)
            return list(cursor.fetchall())


@dataclass(frozen=True)
class SqliteTargetDatabase:
    path: Path
    kind: str = "sqlite"

    statements: str = ""

    @property
    def url(self) -> str:
        return f"sqlite:///{self.path}"

    def execute(self, *statements: str) -> None:
        con = sqlite3.connect(self.path)
        for statement in statements:
            con.execute(statement)
        con.commit()
        con.close()

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        con = sqlite3.connect(self.path)
        found = con.execute(sql).fetchall()
        con.close()
        return found


@dataclass(frozen=True)
class DuckDbTargetDatabase:
    path: Path
    kind: str = "duckdb"

    statements: str = ""

    @property
    def url(self) -> str:
        return f"duckdb:///{self.path}"

    def execute(self, *statements: str) -> None:
        with duckdb.connect(str(self.path)) as con:
            for statement in statements:
                con.execute(statement)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.path)) as con:
            return con.execute(sql).fetchall()


TARGETS = [
    pytest.param("duckdb"),
    pytest.param("postgresql", marks=pytest.mark.postgres),
    pytest.param("mysql", marks=pytest.mark.mariadb),
    pytest.param("sqlite"),
]


def open_target(kind: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[Any]:
    if kind == "postgresql":
        yield PostgresTargetDatabase(request.getfixturevalue("postgres"))
    elif kind == "mysql":
        yield MariaDbTargetDatabase(request.getfixturevalue("mariadb"))
    elif kind == "duckdb":
        yield DuckDbTargetDatabase(folder / "target.duckdb")
    else:
        yield SqliteTargetDatabase(folder / "target.db")


@dataclass(frozen=True)
class Warehouse:
    """A target with its sink, and a lake whose table ``shop.orders`` the tests fill."""

    database: TargetDatabase
    sink: DatabaseSink
    lake: Lake

    def rows(self, data: pa.Table | Sequence[dict[str, Any]], table: str = "shop.orders") -> Rows:
        """Publish rows as the table's newest version."""
        name = TableName.parse(table)
        arrow = data if isinstance(data, pa.Table) else orders(data)
        self.lake.publish(self.lake.stage(name, arrow), Mode.REPLACE, schema_change="any")
        return rows_of(self.lake, name)

    def orders(self, table: str = "orders") -> list[tuple[Any, ...]]:
        return self.database.query(f"SELECT id, customer, note FROM {table} ORDER BY id, note")


def orders(rows: Sequence[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(
        list(rows),
        pa.schema([("id", pa.int64()), ("customer", pa.string()), ("note", pa.string())]),
    )


def order(number: int, customer: str = "Ada", note: str | None = None) -> dict[str, Any]:
    return {"id": number, "customer": customer, "note": note}
