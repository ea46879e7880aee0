"""Loading 1,500,000 TPC-H orders with a primary key into PostgreSQL, and upserting some of them.

``platform_*`` reads a table of the lake, passes the gate, writes the batch's identity in the same
transaction and gives a receipt with a checksum. ``adbc_*`` and ``copy_csv`` only move the rows: by
ADBC's ingestion, with a stage and ON CONFLICT for the upsert, and by COPY from a CSV file that is
there already. ``dlt_*`` is dlt with its fastest settings (Parquet files, merge strategy upsert), in
an environment of its own. ``changed`` are 150,000 of the orders, ``overlap`` is 1,500,000 orders of
which a tenth is there.

``ETL_BENCH_POSTGRES`` may name the server; without it one is started, with the tests' settings.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.measure import DATA, Operation, child, compare, report
from benchmarks.peers import peers_python
from benchmarks.tpch import source

_URL = "ETL_BENCH_POSTGRES"
# A copy without Arrow's own schema, whose string views dlt does not read.
_ORDERS = DATA / "orders.parquet"
_CHANGED = DATA / "orders_changed.parquet"
_OVERLAP = DATA / "orders_overlap.parquet"
_CSV = DATA / "orders.csv"
_IMPORTED = (
    "deltalake",
    "duckdb",
    "psycopg",
    "pyarrow.compute",
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
        session.execute("DROP SCHEMA IF EXISTS dlt_orders CASCADE")
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


def _adbc(path: Path, *, upsert: bool) -> Operation:
    import adbc_driver_postgresql.dbapi as adbc
    import pyarrow as pa
    import pyarrow.parquet as pq

    _reset(filled=upsert)
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


def _dlt(path: Path, disposition: Any) -> Operation:
    """Into a table of dlt's own that another run has filled."""
    import dlt  # pyright: ignore[reportMissingImports] # only in the peers' environment
    import psycopg
    import pyarrow as pa
    import pyarrow.parquet as pq

    _reset(filled=False)
    folder = tempfile.mkdtemp(prefix="etl-bench-dlt-")
    # dlt insists on a password, which the server does not ask for.
    url = os.environ[_URL].replace("postgres@", "postgres:none@")
    tool: Any = dlt

    def run(file: Path) -> None:
        def orders() -> Iterator[pa.Table]:
            for batch in pq.ParquetFile(file).iter_batches(100_000):
                yield pa.Table.from_batches([batch])

        resource = tool.resource(
            orders,
            name="orders",
            primary_key="o_orderkey",
            write_disposition=disposition,
            file_format="parquet",
        )
        pipeline = tool.pipeline(
            "bench",
            destination=tool.destinations.postgres(url),
            dataset_name="dlt_orders",
            pipelines_dir=folder,
        )
        pipeline.run(resource)

    run(_ORDERS)
    # As for the others, pages are logged whole when they change. Without statistics of the table:
    # dlt makes none of its stage, and beside a table that has them its MERGE was seen to take
    # minutes.
    with psycopg.connect(os.environ[_URL], autocommit=True) as session:
        session.execute("CHECKPOINT")
    return partial(run, path)


_UPSERT = {"disposition": "merge", "strategy": "upsert"}
VARIANTS: dict[str, Callable[[], Operation]] = {
    "adbc_append": lambda: _adbc(_ORDERS, upsert=False),
    "copy_csv": copy_csv,
    "platform_append": lambda: _platform("orders", "append", filled=False),
    "dlt_replace": lambda: _dlt(_ORDERS, "replace"),
    "platform_replace": lambda: _platform("orders", "replace", filled=True),
    "adbc_changed": lambda: _adbc(_CHANGED, upsert=True),
    "dlt_changed": lambda: _dlt(_CHANGED, _UPSERT),
    "platform_changed": lambda: _platform("changed", "upsert", filled=True),
    "adbc_overlap": lambda: _adbc(_OVERLAP, upsert=True),
    "dlt_overlap": lambda: _dlt(_OVERLAP, _UPSERT),
    "platform_overlap": lambda: _platform("overlap", "upsert", filled=True),
}
# Title, the variants' names, and what the platform's may take of each peer's seconds.
_REPORTS = [
    ("Append 1,500,000 orders to an empty table", "append", {"adbc_append": 1.0, "copy_csv": 1.3}),
    ("Replace 1,500,000 orders", "replace", {"dlt_replace": 0.9}),
    ("Upsert 150,000 of 1,500,000 orders", "changed", {"adbc_changed": 1.1, "dlt_changed": 0.75}),
    ("Upsert 1,500,000 orders, 150,000 are there", "overlap",
     {"adbc_overlap": 1.0, "dlt_overlap": 1.0}),
]  # fmt: skip


def _prepare() -> None:
    import duckdb

    from etl_platform.core.names import TableName
    from etl_platform.core.settings import Settings
    from etl_platform.lakehouse import Lake, Mode

    orders = source("orders")
    dearer = "CAST(o_totalprice + 1 AS DECIMAL(15, 2)) AS o_totalprice"
    tenth = "hash(o_orderkey) % 10 = 0"
    if not _ORDERS.exists():
        duckdb.sql(
            f"COPY (SELECT * REPLACE ({dearer}, 'upd ' || o_comment AS o_comment) FROM '{orders}' "
            f"WHERE {tenth} LIMIT 150000) TO '{_CHANGED}' (FORMAT parquet, COMPRESSION zstd)"
        )
        duckdb.sql(
            f"COPY (SELECT * REPLACE ({dearer}, o_orderkey + CASE WHEN {tenth} THEN 0 ELSE "
            f"10000000 END AS o_orderkey) FROM '{orders}') TO '{_OVERLAP}' (FORMAT parquet, "
            "COMPRESSION zstd)"
        )
        duckdb.sql(f"COPY (FROM '{orders}') TO '{_CSV}' (FORMAT csv, HEADER false)")
        duckdb.sql(f"COPY (FROM '{orders}') TO '{_ORDERS}' (FORMAT parquet, COMPRESSION zstd)")
    lake = Lake(settings=Settings(lake_uri=str((DATA / "load_lake").absolute())))
    for name, path in (("orders", _ORDERS), ("changed", _CHANGED), ("overlap", _OVERLAP)):
        table = TableName("tpch", name)
        if not lake.exists(table):
            lake.publish(lake.stage(table, duckdb.sql(f"FROM '{path}'")), Mode.REPLACE)


@contextmanager
def _server() -> Generator[None]:
    from etl_platform_tests.servers import postgres

    if _URL in os.environ:
        yield
        return
    folder = Path(tempfile.mkdtemp(prefix="etl-bench-"))
    try:
        with postgres.serving(folder) as server:
            with server.connect() as session:
                session.execute("ALTER SYSTEM SET log_statement = none")
                session.execute("ALTER SYSTEM SET max_wal_size = '8GB'")
                session.execute("SELECT pg_reload_conf()")
            os.environ[_URL] = server.url()
            yield
            del os.environ[_URL]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main(runs: int) -> None:
    # In a process of its own: what is measured later would inherit its peak of memory.
    subprocess.run([sys.executable, "-m", "benchmarks.loading", "prepare"], check=True)
    python = peers_python("dlt[postgres,parquet]", "adbc-driver-postgresql", "psycopg[binary]")
    elsewhere = {name: python for name in VARIANTS if name.startswith("dlt")}
    with _server():
        figures = compare("loading", list(VARIANTS), runs, elsewhere)
    for title, work, bars in _REPORTS:
        names = [name for name in VARIANTS if name in bars or name == f"platform_{work}"]
        whole = {name: figures[name] for name in names}
        ours = f"platform_{work}"
        against = ", ".join(
            f"{figures[ours].seconds / figures[peer].seconds:.2f} x {peer} (<= {bar})"
            for peer, bar in bars.items()
        )
        report(title, whole, names[0], {ours: against})


if __name__ == "__main__":
    _prepare() if sys.argv[1] == "prepare" else child(VARIANTS[sys.argv[1]])
