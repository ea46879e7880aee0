"""Staged files as the lakehouse writes them: DuckDB's Parquet with exact statistics per file."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from etl_platform.core.duck import literal, quote
from etl_platform.core.names import TableName
from etl_platform.core.staged import ColumnStats, DataFile, Staged
from etl_platform.core.types import lake_schema

TABLE = TableName("shop", "orders")
Stage = Callable[..., Staged]


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect(
        ":memory:",
        config={"threads": 2, "memory_limit": "1GB", "python_enable_replacements": "false"},
    )
    con.execute("SET TimeZone = 'UTC'")
    return con


@pytest.fixture
def stage(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> Stage:
    """``stage(table, files=1, statistics=True)``: write an Arrow table and describe its files."""

    def write(table: pa.Table, files: int = 1, *, statistics: bool = True) -> Staged:
        schema = lake_schema(table.schema)
        if not len(table):
            return Staged(TABLE, schema, ())
        size = -(-len(table) // files)
        parts = [table.slice(i, size) for i in range(0, len(table), size)]
        written = tuple(_file(con, tmp_path, part, schema, statistics) for part in parts)
        return Staged(TABLE, schema, written)

    return write


def _file(con, folder: Path, part: pa.Table, schema: pa.Schema, statistics: bool) -> DataFile:
    path = folder / f"{uuid.uuid4().hex}.parquet"
    con.register("part", part)
    options = "FORMAT parquet, PARQUET_VERSION v2, ROW_GROUP_SIZE 2048"
    con.execute(f"COPY part TO {literal(str(path))} ({options})")
    con.unregister("part")
    columns = {}
    if statistics:
        columns = {f.name: _stats(con, path, f) for f in schema}
    return DataFile(path.name, str(path), len(part), path.stat().st_size, {}, columns)


def _stats(con, path: Path, field: pa.Field) -> ColumnStats:
    column, source = quote(field.name), f"read_parquet({literal(str(path))})"
    nulls = con.execute(f"SELECT count(*) - count({column}) FROM {source}").fetchall()[0][0]
    if pa.types.is_nested(field.type):
        return ColumnStats(nulls)
    low, high = con.execute(f"SELECT min({column}), max({column}) FROM {source}").fetchall()[0]
    nan = pa.types.is_floating(field.type) and high is not None and high != high
    return ColumnStats(nulls, None if nan else low, None if nan else high, has_nan=nan)
