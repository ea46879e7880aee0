"""Staged files as the lakehouse writes them: DuckDB's Parquet with exact statistics per file."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from etl_platform.core.duck import literal, quote
from etl_platform.core.names import TableName
from etl_platform.core.sessions import session
from etl_platform.core.settings import Settings
from etl_platform.core.staged import ColumnStats, DataFile, Staged
from etl_platform.core.types import lake_schema

TABLE = TableName("shop", "orders")
Stage = Callable[..., Staged]
_SPILL = Path(tempfile.gettempdir()) / "etl-quality-tests"
"""One folder for all, so that all sessions are of one engine."""


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    return session(Settings(threads=2, memory_limit=1 << 30, temp_dir=str(_SPILL)))


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
    columns = _stats(con, path, schema) if statistics else {}
    return DataFile(path.name, str(path), len(part), path.stat().st_size, {}, columns)


def _stats(con, path: Path, schema: pa.Schema) -> dict[str, ColumnStats]:
    """The statistics of every column, asked for in one query."""
    asked: list[str] = []
    for field in schema:
        column = quote(field.name)
        ends = ("NULL", "NULL") if pa.types.is_nested(field.type) else ("min({})", "max({})")
        asked += [f"count(*) - count({column})", *(end.format(column) for end in ends)]
    source = f"read_parquet({literal(str(path))})"
    (found,) = con.execute(f"SELECT {', '.join(asked)} FROM {source}").fetchall()
    columns: dict[str, ColumnStats] = {}
    for field, nulls, low, high in zip(schema, found[::3], found[1::3], found[2::3], strict=True):
        nan = pa.types.is_floating(field.type) and high is not None and high != high
        columns[field.name] = ColumnStats(
            nulls, None if nan else low, None if nan else high, has_nan=nan
        )
    return columns
