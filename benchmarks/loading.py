"""Loading 1,500,000 TPC-H orders with a primary key into PostgreSQL, and upserting 150,000 of them.

``platform_*`` reads a table of the lake, passes the gate, writes the batch's identity in the same
transaction and gives a receipt with a checksum; ``adbc_*`` and ``copy_csv`` only move the rows: by
ADBC's ingestion, with a stage and ON CONFLICT for the upsert, and by COPY from a CSV file that is
there already.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path

from benchmarks.measure import DATA, Operation, child, compare, report
from benchmarks.tpch import source

_URL = "BENCH_POSTGRES_URL"
_CHANGED = DATA / "orders_changed.parquet"
_CSV = DATA / "orders.csv"
_IMPORTED = (
    "adbc_driver_postgresql.dbapi",
    "deltalake",
    "duckdb",
    "sqlalchemy.dialects.postgresql.asyncpg",
)
_COLUMNS = {
    "o_orderkey": "bigint PRIMARY KEY",
    "o_custkey": "bigint",
    "o_orderstatus": "text",
    "o_totalprice": "numeric(15,2)",
    "o_orderdate": "date",
    "o_orderpriority": "text",
    "o_clerk": "text",
    "o_shippriority": "integer",
    "o_comment": "text",
}


def _reset(*, filled: bool) -> None:
    """An empty table, or one that holds all orders."""
    import psycopg

    with psycopg.connect(os.environ[_URL], autocommit=True) as session:
        session.execute("DROP TABLE IF EXISTS orders, etl_batches")
        columns = ", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())
        session.execute(f"CREATE TABLE orders ({columns})".encode())
        if filled:
            with session.cursor().copy("COPY orders FROM STDIN (FORMAT csv)") as copy:
                copy.write(_CSV.read_bytes())
            session.execute("VACUUM ANALYZE orders")
        session.execute("CHECKPOINT")


def _platform(table: str, mode: str, *, filled: bool) -> Operation:
    # Imports that a process makes once, when it first loads; the peers' are made here as well.
    for name in _IMPORTED:
        import_module(name)

    from etl_platform.core.names import TableName
    from etl_platform.core.settings import Settings
    from etl_platform.lakehouse import Lake
    from etl_platform.sinks.database import DatabaseSink, Load, LoadMode, Target, rows_of
    from etl_platform.sources.database import Database

    _reset(filled=filled)
    lake = Lake(settings=Settings(lake_uri=str((DATA / "load_lake").absolute())))
    sink = DatabaseSink(Database("bench", os.environ[_URL]))

    def load() -> dict[str, float]:
        rows = rows_of(lake, TableName("tpch", table))
        receipt = sink.load(rows, Load(Target("orders"), LoadMode(mode), "bench", ("o_orderkey",)))
        assert receipt.rows_inserted + receipt.rows_updated == receipt.rows_read
        return {"rows": receipt.rows_read}

    return load


def _adbc(*, upsert: bool) -> Operation:
    import adbc_driver_postgresql.dbapi as adbc
    import pyarrow as pa
    import pyarrow.parquet as pq

    _reset(filled=upsert)
    path = _CHANGED if upsert else source("orders")
    names = list(_COLUMNS)
    updates = ", ".join(f"{name} = excluded.{name}" for name in names[1:])

    def load() -> None:
        file = pq.ParquetFile(path)
        reader = pa.RecordBatchReader.from_batches(file.schema_arrow, file.iter_batches(100_000))
        with adbc.connect(os.environ[_URL]) as connection, connection.cursor() as cursor:
            if upsert:
                cursor.execute("CREATE TEMP TABLE stg (LIKE orders) ON COMMIT DROP")
                cursor.adbc_ingest("stg", reader, mode="append", temporary=True)
                cursor.execute(
                    f"INSERT INTO orders SELECT {', '.join(names)} FROM stg "
                    f"ON CONFLICT (o_orderkey) DO UPDATE SET {updates}"
                )
            else:
                cursor.adbc_ingest("orders", reader, mode="append")
            connection.commit()

    return load


def copy_csv() -> Operation:
    import psycopg

    _reset(filled=False)

    def load() -> None:
        with (
            _CSV.open("rb") as file,
            psycopg.connect(os.environ[_URL]) as session,
            session.cursor().copy("COPY orders FROM STDIN (FORMAT csv)") as copy,
        ):
            while block := file.read(1 << 20):
                copy.write(block)

    return load


VARIANTS = {
    "adbc_append": lambda: _adbc(upsert=False),
    "copy_csv": copy_csv,
    "platform_append": lambda: _platform("orders", "append", filled=False),
    "platform_replace": lambda: _platform("orders", "replace", filled=True),
    "adbc_upsert": lambda: _adbc(upsert=True),
    "platform_upsert": lambda: _platform("changed", "upsert", filled=True),
}


def _prepare() -> None:
    import duckdb

    from etl_platform.core.names import TableName
    from etl_platform.core.settings import Settings
    from etl_platform.lakehouse import Lake, Mode

    orders = source("orders")
    if not _CHANGED.exists():
        duckdb.sql(
            f"COPY (SELECT * REPLACE (CAST(o_totalprice + 1 AS DECIMAL(15, 2)) AS o_totalprice, "
            f"'upd ' || o_comment AS o_comment) FROM '{orders}' WHERE hash(o_orderkey) % 10 = 0 "
            f"LIMIT 150000) TO '{_CHANGED}' (FORMAT parquet, COMPRESSION zstd)"
        )
        duckdb.sql(f"COPY (FROM '{orders}') TO '{_CSV}' (FORMAT csv, HEADER false)")
    lake = Lake(settings=Settings(lake_uri=str((DATA / "load_lake").absolute())))
    for name, path in (("orders", orders), ("changed", _CHANGED)):
        table = TableName("tpch", name)
        if not lake.exists(table):
            lake.publish(lake.stage(table, duckdb.sql(f"FROM '{path}'")), Mode.REPLACE)


def main(runs: int) -> None:
    from etl_platform_tests.servers import postgres

    # In a process of its own: what is measured later would inherit its peak of memory.
    subprocess.run([sys.executable, "-m", "benchmarks.loading", "prepare"], check=True)
    folder = Path(tempfile.mkdtemp(prefix="etl-bench-"))
    try:
        with postgres.serving(folder) as server:
            os.environ[_URL] = server.url()
            figures = compare("loading", list(VARIANTS), runs)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    whole = {name: figures[name] for name in VARIANTS if not name.endswith("upsert")}
    bars = {"platform_append": "at most 1.00", "platform_replace": "at most 0.98"}
    report("Load 1,500,000 orders into PostgreSQL", whole, "adbc_append", bars)
    upserts = {name: figures[name] for name in VARIANTS if name.endswith("upsert")}
    bar = {"platform_upsert": "at most 1.10"}
    report("Upsert 150,000 of 1,500,000 orders", upserts, "adbc_upsert", bar)


if __name__ == "__main__":
    _prepare() if sys.argv[1] == "prepare" else child(VARIANTS[sys.argv[1]])
