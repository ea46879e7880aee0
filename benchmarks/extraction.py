"""PostgreSQL lineitem -> published lake table, beside ConnectorX and ADBC into bare Parquet.

Reads the server that ``ETL_BENCH_POSTGRES`` names (a URL; a private server with at least 1 GB of
shared buffers) and loads TPC-H's lineitem into it when it is not there yet. ``copy_text`` is the
limit: the same rows as text, thrown away by the client.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
from functools import partial

from benchmarks.measure import DATA, Operation, child, compare, report
from benchmarks.tpch import source, stream

_ROWS = 6_001_215
_TABLE = "lineitem"
_QUERY = f"SELECT * FROM {_TABLE}"


def _url() -> str:
    url = os.environ.get("ETL_BENCH_POSTGRES")
    if url is None:
        raise SystemExit("set ETL_BENCH_POSTGRES to the URL of a PostgreSQL for benchmarks")
    return url


def load() -> None:
    """Create and fill lineitem once."""
    import psycopg
    from pyarrow import csv

    with psycopg.connect(_url(), autocommit=True) as session:
        found = session.execute("SELECT to_regclass('lineitem')").fetchone()
        if found is not None and found[0] is not None:
            return
        fields = stream(_TABLE).schema
        kinds = {"int64": "bigint", "int32": "int", "date32[day]": "date"}
        columns = ", ".join(
            f"{f.name} {kinds.get(str(f.type)) or _decimal_or_text(str(f.type))}" for f in fields
        )
        session.execute(f"CREATE TABLE {_TABLE} ({columns})".encode())
        with session.cursor().copy(f"COPY {_TABLE} FROM STDIN (FORMAT csv)".encode()) as copy:
            for batch in stream(_TABLE):
                text = io.BytesIO()
                csv.write_csv(batch, text, csv.WriteOptions(include_header=False))
                copy.write(text.getvalue())
        session.execute(f"VACUUM (FREEZE, ANALYZE) {_TABLE}".encode())


def _decimal_or_text(kind: str) -> str:
    return "numeric(15,2)" if kind.startswith("decimal") else "text"


def platform(engine: str) -> Operation:
    from etl_platform.core.names import TableName
    from etl_platform.core.settings import Settings
    from etl_platform.lakehouse import Lake, Mode
    from etl_platform.sources.database import Database, Extraction, extract, reflect

    folder = (DATA / "extract_platform").absolute()
    shutil.rmtree(folder, ignore_errors=True)
    lake = Lake(settings=Settings(lake_uri=str(folder), memory_limit=512 * 1024 * 1024))
    database = Database("bench", _url())
    (table,) = reflect(database, include=(_TABLE,))

    def run() -> None:
        rows = extract(database, Extraction(table=table), engine=engine)
        receipt = lake.publish(lake.stage(TableName("tpch", _TABLE), rows), Mode.REPLACE)
        assert receipt.rows_total == _ROWS

    return run


def connectorx() -> Operation:
    import connectorx as cx
    import pyarrow.parquet as pq

    def run() -> None:
        read = cx.read_sql(_url(), _QUERY, return_type="arrow_stream", batch_size=100_000)
        with pq.ParquetWriter(DATA / "cx.parquet", read.schema, compression="zstd") as writer:
            for batch in read:
                writer.write_batch(batch)

    return run


def adbc() -> Operation:
    import pyarrow.parquet as pq
    from adbc_driver_postgresql import dbapi

    def run() -> None:
        with dbapi.connect(_url()) as connection, connection.cursor() as cursor:
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
        with psycopg.connect(_url()) as session, session.cursor().copy(statement) as copy:
            for _ in copy:
                pass

    return run


VARIANTS = {
    "connectorx": connectorx,
    "platform": partial(platform, "copy"),
    "adbc": adbc,
    "copy_text": copy_text,
}


def main(runs: int) -> None:
    source(_TABLE)
    load()
    figures = compare("extraction", list(VARIANTS), runs)
    bars = {
        "platform": "exact; at most 0.80, 400 MB",
        "connectorx": "decimal(38,10)",
        "adbc": "numerics as text",
        "copy_text": "the limit: rows thrown away",
    }
    report("PostgreSQL lineitem SF1 to the lake", figures, "connectorx", bars)


if __name__ == "__main__":
    child(VARIANTS[sys.argv[1]])
