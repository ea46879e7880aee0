# ruff: noqa: E501 - one case, one line
"""DuckDB over relations given as SQL: lazy, streamed, one version of each table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from etl_platform.compute.duckdb_engine import run, stream
from etl_platform.core.duck import connect, read_parquet
from etl_platform.core.errors import PermanentError, UnknownName
from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings

MIB = 1024 * 1024


@pytest.fixture
def con(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    session = connect(Settings(memory_limit=160 * MIB, threads=2, temp_dir=str(tmp_path / "tmp")))
    yield session
    session.close()


@pytest.fixture
def files(tmp_path: Path) -> dict[TableName, str]:
    """Two tables as real Parquet files; the odd folder name must not be read as a pattern."""
    folder = tmp_path / "lake [1]*"
    folder.mkdir()
    found: dict[TableName, str] = {}
    for name, sql in {"shop.orders": "select range as id, range % 3 as item from range(10)",
                      "main.items": "select range as item, 'n' || range as name from range(3)"}.items():  # fmt: skip
        path = folder / f"{name}.parquet"
        duckdb.sql(sql).write_parquet(str(path))
        found[TableName.parse(name)] = read_parquet([str(path)])
    return found


def test_tables_are_read_by_their_lake_names(
    con: duckdb.DuckDBPyConnection, files: dict[TableName, str]
) -> None:
    sql = "select name, count(*) as n from shop.orders join items using (item) group by all order by 1"
    assert run(con, sql, files.get).fetchall() == [("n0", 4), ("n1", 3), ("n2", 3)]


def test_each_table_is_asked_for_once(
    con: duckdb.DuckDBPyConnection, files: dict[TableName, str]
) -> None:
    asked: list[TableName] = []

    def relation_of(table: TableName) -> str:
        asked.append(table)
        return files[table]

    run(con, "select * from shop.orders a, shop.orders b, (from shop.orders) c", relation_of)
    assert asked == [TableName("shop", "orders")]


def test_a_missing_table_is_unknown(con: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(UnknownName, match=r"m\.sql: unknown table 'shop\.nope'"):
        run(con, "from shop.nope", {}.get, where="m.sql")


def test_what_duckdb_refuses_has_its_place(
    con: duckdb.DuckDBPyConnection, files: dict[TableName, str]
) -> None:
    with pytest.raises(PermanentError, match=r'^m\.sql:2:3: Referenced column "idd" not found'):
        run(con, "select\n  idd from shop.orders", files.get, where="m.sql")


def test_nothing_is_computed_before_the_relation_is_read(con: duckdb.DuckDBPyConnection) -> None:
    relation = run(con, "select error('computed')::integer as x", {}.get)
    assert relation.columns == ["x"]
    with pytest.raises(duckdb.Error, match="computed"):
        relation.fetchall()


def test_the_first_rows_arrive_before_the_last_are_computed(
    con: duckdb.DuckDBPyConnection,
) -> None:
    sql = "select if(i < 15_000_000, i, error('late')::bigint) as x from range(20_000_000) r(i)"
    reader = stream(run(con, sql, {}.get))
    assert reader.read_next_batch().num_rows > 0
    with pytest.raises(Exception, match="late"):
        reader.read_all()


def test_a_result_larger_than_memory_is_streamed(con: duckdb.DuckDBPyConnection) -> None:
    relation = run(con, "select range as a, hash(range) as b from range(20_000_000)", {}.get)
    batches = rows = 0
    for batch in stream(relation):
        batches += 1
        rows += batch.num_rows
    assert rows == 20_000_000
    assert batches > 100
