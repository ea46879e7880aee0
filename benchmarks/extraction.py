"""PostgreSQL lineitem -> published lake table, beside ConnectorX, ADBC and dlt into bare Parquet.

``python -m benchmarks extraction [--runs N]`` does everything: it starts a PostgreSQL of its own
(1 GB of shared buffers), fills it with TPC-H's lineitem at scale factor 1 and with a table of twice
its rows (both kept in ``.benchmarks/postgres``), installs dlt into ``.benchmarks/peers`` and prints
medians. ``copy_text`` is the limit: the same rows as text, thrown away by the client.
``platform_gate`` audits eight rules and makes the basic profile before it publishes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.measure import DATA, Figure, Operation, child, compare
from benchmarks.peers import peers_python
from benchmarks.tpch import source

_ROWS = 6_001_215
_URL, _SERVER = "BENCH_POSTGRES_URL", "BENCH_POSTGRES_PID"
_DLT = ("dlt[parquet]", "sqlalchemy", "psycopg2-binary")
_TABLE, _TWICE = "lineitem", "lineitem_twice"
_QUERY = f"SELECT * FROM {_TABLE}"
_KINDS = {"BIGINT": "bigint", "INTEGER": "int", "DATE": "date", "VARCHAR": "text"}


def fill() -> None:
    """Create and fill both tables once."""
    import duckdb
    import psycopg

    file, csv = source(_TABLE), DATA / "lineitem.csv"
    with psycopg.connect(os.environ[_URL], autocommit=True) as session:
        found = session.execute(f"SELECT to_regclass('{_TWICE}')").fetchone()
        if found is not None and found[0] is not None:
            return
        described = duckdb.sql(f"DESCRIBE FROM '{file}'").fetchall()
        columns = ", ".join(
            f"{name} {_KINDS.get(kind) or kind.replace('DECIMAL', 'numeric')}"
            for name, kind, *_ in described
        )
        session.execute(f"DROP TABLE IF EXISTS {_TABLE}".encode())
        session.execute(f"CREATE TABLE {_TABLE} ({columns})".encode())
        duckdb.sql(f"COPY (FROM '{file}') TO '{csv}' (FORMAT csv, HEADER false)")
        statement = f"COPY {_TABLE} FROM STDIN (FORMAT csv)".encode()
        with session.cursor().copy(statement) as copy, csv.open("rb") as text:
            while block := text.read(1 << 22):
                copy.write(block)
        csv.unlink()
        twice = f"CREATE TABLE {_TWICE} AS {_QUERY} UNION ALL {_QUERY}"
        session.execute(twice.encode())
        session.execute(f"VACUUM (FREEZE, ANALYZE) {_TABLE}, {_TWICE}".encode())


def platform(table: str, *, gate: bool) -> Operation:
    if gate:
        import pandera.polars  # noqa: F401 # an import that the audit makes when it is first needed

    from benchmarks.publishing import RULES
    from etl_platform.core.names import TableName
    from etl_platform.core.settings import Settings
    from etl_platform.lakehouse import Lake, Mode
    from etl_platform.lakehouse.gate import admit
    from etl_platform.quality import Contract
    from etl_platform.sources.database import Database, Extraction, extract, reflect

    folder = (DATA / "extract_postgres").absolute()
    shutil.rmtree(folder, ignore_errors=True)
    lake = Lake(settings=Settings(lake_uri=str(folder), memory_limit=512 * 1024 * 1024))
    database = Database("bench", os.environ[_URL])
    (found,) = reflect(database, include=(table,))
    contract = Contract.model_validate({"rules": RULES})

    def run() -> None:
        rows = extract(database, Extraction(table=found), engine="copy")
        if gate:
            receipt = admit(lake, TableName("tpch", table), rows, contract).receipt
        else:
            receipt = lake.publish(lake.stage(TableName("tpch", table), rows), Mode.REPLACE)
        assert receipt.rows_total == _ROWS * (2 if table == _TWICE else 1)
        database.close()

    return run


def connectorx() -> Operation:
    import connectorx as cx
    import pyarrow.parquet as pq

    def run() -> None:
        url = os.environ[_URL]
        read = cx.read_sql(url, _QUERY, return_type="arrow_stream", batch_size=100_000)
        with pq.ParquetWriter(DATA / "cx.parquet", read.schema, compression="zstd") as writer:
            for batch in read:
                writer.write_batch(batch)

    return run


def adbc() -> Operation:
    import pyarrow.parquet as pq
    from adbc_driver_postgresql import dbapi

    def run() -> None:
        with dbapi.connect(os.environ[_URL]) as connection, connection.cursor() as cursor:
            cursor.execute(_QUERY)
            read = cursor.fetch_record_batch()
            with pq.ParquetWriter(DATA / "adbc.parquet", read.schema, compression="zstd") as writer:
                for batch in read:
                    writer.write_batch(batch)

    return run


def copy_text() -> Operation:
    import psycopg

    def run() -> None:
        statement = f"COPY {_TABLE} TO STDOUT".encode()
        with psycopg.connect(os.environ[_URL]) as session, session.cursor().copy(statement) as copy:
            for _ in copy:
                pass

    return run


def _with_server(prepare: partial[Operation]) -> Operation:
    """Counts the processor seconds of the server's processes too."""
    operation = prepare()

    def run() -> dict[str, float]:
        before = _server_cpu_s()
        operation()
        return {"server_cpu": _server_cpu_s() - before}

    return run


def _server_cpu_s() -> float:
    """Of the server, its processes and those that have ended."""
    server, ticks = os.environ[_SERVER], 0
    time.sleep(0.2)  # a backend that has ended is counted once the server has noticed
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if folder.name == server:
            ticks += sum(int(field) for field in fields[11:15])
        elif fields[1] == server:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def dlt() -> Operation:
    """In the peers' environment, with dlt's fastest settings that keep the types."""
    import dlt as tool  # pyright: ignore[reportMissingImports] # only in the peers' environment
    from dlt.sources.sql_database import sql_table  # pyright: ignore[reportMissingImports]

    folder = (DATA / "extract_dlt").absolute()
    shutil.rmtree(folder, ignore_errors=True)
    table = sql_table(
        credentials=os.environ[_URL].replace("postgresql://", "postgresql+psycopg2://"),
        table=_TABLE,
        backend="pyarrow",
        chunk_size=100_000,
        reflection_level="full_with_precision",
    )
    target = tool.destinations.filesystem(bucket_url=f"file://{folder}/out")
    pipeline = tool.pipeline(
        "bench", destination=target, dataset_name="d", pipelines_dir=str(folder / "pipelines")
    )

    def run() -> None:
        pipeline.extract(table, write_disposition="replace", loader_file_format="parquet")
        pipeline.normalize()
        pipeline.load()

    return run


VARIANTS = {
    "copy_text": partial(copy_text),
    "platform": partial(platform, _TABLE, gate=False),
    "platform_gate": partial(platform, _TABLE, gate=True),
    "platform_twice": partial(platform, _TWICE, gate=False),
    "connectorx": partial(connectorx),
    "adbc": partial(adbc),
    "dlt": partial(dlt),
}
_ABOUT = {
    "copy_text": ("", "the limit: rows thrown away"),
    "platform": ("yes", "at most 1.55 copy_text, 0.80 connectorx, 0.28 dlt, 400 MB"),
    "platform_gate": ("yes", "at most 1.35 platform"),
    "platform_twice": ("yes", "memory as platform"),
    "connectorx": ("no", "decimal(38,10), rounds, no NaN"),
    "adbc": ("no", "numerics as text"),
    "dlt": ("yes", "the fastest exact peer"),
}


def main(runs: int) -> None:
    from etl_platform_tests.servers import postgres

    folder = DATA / "postgres"
    folder.mkdir(parents=True, exist_ok=True)
    elsewhere = {"dlt": peers_python(*_DLT)}
    large = {"shared_buffers": "1GB", "max_wal_size": "4GB", "log_statement": "none"}
    with postgres.serving(folder.absolute(), **large) as server:
        os.environ[_URL], os.environ[_SERVER] = server.url(), str(server.pid)
        # In a process of its own: what is measured later would inherit its peak of memory.
        subprocess.run([sys.executable, "-m", "benchmarks.extraction", "fill"], check=True)
        figures = compare("extraction", list(VARIANTS), runs, elsewhere)
    _report(figures)


def _report(figures: dict[str, Figure]) -> None:
    table = Table(title="PostgreSQL lineitem SF1 to the lake", title_justify="left")
    bases = [name for name in ("copy_text", "platform", "connectorx", "dlt") if name in figures]
    for heading in ("variant", "seconds", *(f"/ {base}" for base in bases)):
        table.add_column(heading, justify="left" if heading == "variant" else "right")
    for heading in ("CPU s", "server CPU s", "peak MB"):
        table.add_column(heading, justify="right")
    table.add_column("lossless")
    table.add_column("bar")
    for name, figure in figures.items():
        ratios = (f"{figure.seconds / figures[base].seconds:.2f}" for base in bases)
        used = f"{figure.extra['cpu']:.2f}", f"{figure.extra['server_cpu']:.2f}"
        row = f"{figure.seconds:.2f}", *ratios, *used, f"{figure.peak_mb:.0f}"
        table.add_row(name, *row, *_ABOUT[name])
    Console(width=170).print(table)


if __name__ == "__main__":
    if sys.argv[1] == "fill":
        fill()
    else:
        child(partial(_with_server, VARIANTS[sys.argv[1]]))
