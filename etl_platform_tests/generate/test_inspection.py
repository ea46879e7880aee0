"""Inspection of real databases tells what a declaration needs to know."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import duckdb
import pytest

from etl_platform.generate.inspection import CursorCandidate, TableInspection, inspect_database
from etl_platform.sources.database import Database
from etl_platform_tests.servers.mariadb import MariaDbDatabase
from etl_platform_tests.servers.postgres import PostgresDatabase


def by_name(database: Database, **options: object) -> dict[str, TableInspection]:
    try:
        found = inspect_database(database, **options)  # pyright: ignore[reportArgumentType]
    finally:
        database.close()
    return {table.name: table for table in found}


@pytest.mark.postgres
def test_a_postgresql_table_is_told_with_rows_size_keys_cursors_and_risks(
    postgres: PostgresDatabase,
) -> None:
    postgres.execute(
        "CREATE TABLE customers (id int PRIMARY KEY, name text)",
        "CREATE TABLE orders (id bigint PRIMARY KEY, customer_id int REFERENCES customers, "
        "price numeric(10, 2), rate numeric, took interval, "
        "created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz)",
        "CREATE INDEX ON orders (updated_at)",
        "INSERT INTO customers VALUES (1, 'Ada')",
        "INSERT INTO orders (id, customer_id) SELECT n, 1 FROM generate_series(1, 5000) n",
        "ANALYZE",
        'CREATE SCHEMA "Odd ""one"',
        'CREATE TABLE "Odd ""one"."ta ble\'; DROP TABLE orders" (a int)',
    )
    found = by_name(Database("shop", postgres.url))
    orders = found["public.orders"]
    assert orders.estimated_rows == 5000
    assert orders.size_bytes is not None
    assert orders.size_bytes > 100_000
    assert orders.primary_key == ("id",)
    assert orders.foreign_keys == ("customer_id → public.customers (id)",)
    assert orders.cursors == (
        CursorCandidate("updated_at", "timestamp with time zone", "changes", True, True),
        CursorCandidate("id", "bigint", "new rows", True, False),
        CursorCandidate("created_at", "timestamp with time zone", "new rows", False, False),
    )
    why = {column.column: column.why for column in orders.risky}
    assert set(why) == {"rate", "took"}
    assert "unconstrained_numeric" in why["rate"]
    assert "unsupported: string" in why["took"]
    assert "sqlalchemy" in orders.engines
    assert not {one.engine for one in orders.unfit} & set(orders.engines)
    assert {"copy", "sqlalchemy"} <= set(found["public.customers"].engines)
    assert found["public.customers"].risky == ()
    odd = found["Odd \"one.ta ble'; DROP TABLE orders"]
    assert odd.size_bytes == 0


@pytest.mark.postgres
def test_a_partitioned_table_counts_the_bytes_of_its_partitions(
    postgres: PostgresDatabase,
) -> None:
    postgres.execute(
        "CREATE TABLE t (id int) PARTITION BY RANGE (id)",
        "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (1000)",
        "INSERT INTO t SELECT n FROM generate_series(0, 999) n",
    )
    (table,) = by_name(Database("shop", postgres.url)).values()
    assert table.size_bytes is not None
    assert table.size_bytes >= 32_768


@pytest.mark.postgres
def test_only_the_schemas_asked_for_are_told_and_views_on_demand(
    postgres: PostgresDatabase,
) -> None:
    postgres.execute(
        "CREATE TABLE a (id int)",
        "CREATE SCHEMA sales",
        "CREATE TABLE sales.b (id int)",
        "CREATE VIEW sales.c AS SELECT * FROM sales.b",
    )
    assert set(by_name(Database("shop", postgres.url), schemas=["sales"])) == {"sales.b"}
    views = by_name(Database("shop", postgres.url), schemas=["sales"], views=True)
    assert views["sales.c"].kind == "view"
    assert views["sales.c"].size_bytes is None


def test_a_sqlite_file_is_told_too(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as con:
        con.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, modified TIMESTAMP, x)")
        con.execute("CREATE INDEX by_time ON orders (modified)")
        con.execute("INSERT INTO orders VALUES (1, '2024-01-01 00:00:00', NULL)")
    con.close()
    orders = by_name(Database("shop", f"sqlite:///{path}"))["orders"]
    assert orders.estimated_rows == 1
    assert orders.size_bytes in (None, 8192)
    assert [cursor.column for cursor in orders.cursors] == ["modified", "id"]
    (risky,) = orders.risky
    assert (risky.column, risky.why[:16]) == ("x", "declares no type")
    assert orders.engines == ("sqlalchemy",)


@pytest.mark.mariadb
def test_a_mariadb_table_is_told_with_rows_size_keys_and_cursors(mariadb: MariaDbDatabase) -> None:
    mariadb.execute(
        "CREATE TABLE customers (id int PRIMARY KEY)",
        "CREATE TABLE orders (id bigint PRIMARY KEY, customer_id int, took time, "
        "updated_at timestamp(6) NOT NULL, KEY (updated_at), "
        "FOREIGN KEY (customer_id) REFERENCES customers (id))",
        "INSERT INTO customers VALUES (1)",
        "INSERT INTO orders SELECT seq, 1, NULL, now(6) FROM seq_1_to_5000",
        "ANALYZE TABLE orders",
        "CREATE VIEW few AS SELECT * FROM orders",
    )
    found = by_name(Database("shop", mariadb.url), views=True)
    orders = found[f"{mariadb.name}.orders"]
    assert orders.estimated_rows is not None
    assert 4_000 < orders.estimated_rows < 6_000
    assert orders.size_bytes is not None
    assert orders.size_bytes > 100_000
    assert orders.foreign_keys == (f"customer_id → {mariadb.name}.customers (id)",)
    assert [(one.column, one.indexed) for one in orders.cursors] == [
        ("updated_at", True),
        ("id", True),
    ]
    assert [one.column for one in orders.risky] == ["took"]
    assert orders.engines == ("mysql", "sqlalchemy")
    assert found[f"{mariadb.name}.few"].kind == "view"
    assert found[f"{mariadb.name}.few"].size_bytes is None


def test_a_duckdb_file_is_told_too(tmp_path: Path) -> None:
    path = tmp_path / "shop.duckdb"
    with duckdb.connect(path) as con:
        con.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, modified TIMESTAMP, took TIME)")
        con.execute("CREATE INDEX by_time ON orders (modified)")
        con.execute("INSERT INTO orders SELECT range, now(), NULL FROM range(5000)")
    orders = by_name(Database("shop", f"duckdb:///{path}"))["main.orders"]
    assert orders.estimated_rows == 5_000
    assert orders.size_bytes is None
    assert [(one.column, one.indexed) for one in orders.cursors] == [
        ("modified", True),
        ("id", True),
    ]
    assert [one.column for one in orders.risky] == ["took"]
    assert orders.engines == ("duckdb", "sqlalchemy")
