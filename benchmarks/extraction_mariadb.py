"""MariaDB lineitem -> published lake table, beside ConnectorX and dlt into bare files.

Starts a MariaDB of its own below ``.benchmarks`` and loads TPC-H's lineitem into it once.
``client`` is the limit: the same rows read by the command-line client and thrown away. dlt runs in
an environment of its own.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.measure import DATA, Operation, child, compare, report
from benchmarks.peers import peers_python
from benchmarks.tpch import source

_ROWS = 6_001_215
_TABLE = "lineitem"
_QUERY = f"SELECT * FROM {_TABLE}"
_URL = "BENCH_MARIADB_URL"
_SETTINGS = (
    "--bind-address=127.0.0.1",
    "--innodb-buffer-pool-size=1536M",
    "--innodb-log-file-size=512M",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=0",
    "--character-set-server=utf8mb4",
    "--local-infile=1",
)
_CSV = "FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\"'"
_CREATE = """
CREATE TABLE lineitem (l_orderkey bigint NOT NULL, l_partkey bigint, l_suppkey bigint,
    l_linenumber bigint NOT NULL, l_quantity decimal(15,2), l_extendedprice decimal(15,2),
    l_discount decimal(15,2), l_tax decimal(15,2), l_returnflag char(1), l_linestatus char(1),
    l_shipdate date, l_commitdate date, l_receiptdate date, l_shipinstruct varchar(25),
    l_shipmode varchar(10), l_comment varchar(44), PRIMARY KEY (l_orderkey, l_linenumber))
"""


def _client(*arguments: str) -> list[str]:
    port = os.environ[_URL].rpartition(":")[2].partition("/")[0]
    return ["mariadb", "--no-defaults", "-h127.0.0.1", f"-P{port}", "-uroot", *arguments]


def load() -> None:
    """Create and fill lineitem once, in the order of its key."""
    import duckdb

    found = subprocess.run(
        _client("-N", "-e", "SHOW TABLES IN tpch LIKE 'lineitem'"),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if found.stdout.strip() == _TABLE:
        return
    with tempfile.NamedTemporaryFile(dir=DATA, suffix=".csv") as rows:
        duckdb.sql(
            f"COPY (FROM '{source(_TABLE)}' ORDER BY l_orderkey, l_linenumber) "
            f"TO '{rows.name}' (FORMAT csv, HEADER false)"
        )
        statements = (
            "DROP DATABASE IF EXISTS tpch; CREATE DATABASE tpch; USE tpch;",
            _CREATE.replace(_TABLE, "loading") + ";",
            f"LOAD DATA LOCAL INFILE '{rows.name}' INTO TABLE loading {_CSV};",
            "RENAME TABLE loading TO lineitem; ANALYZE TABLE lineitem;",
        )
        subprocess.run(
            _client("--local-infile=1", "-e", " ".join(statements)),
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip


def platform() -> Operation:
    from etl_platform.core.names import TableName
    from etl_platform.core.settings import Settings
    from etl_platform.lakehouse import Lake, Mode
    from etl_platform.sources.database import Database, Extraction, extract, reflect

    folder = (DATA / "extract_platform").absolute()
    shutil.rmtree(folder, ignore_errors=True)
    lake = Lake(settings=Settings(lake_uri=str(folder), memory_limit=512 * 1024 * 1024))
    database = Database("bench", os.environ[_URL])
    (table,) = reflect(database, include=(_TABLE,))

    def run() -> None:
        rows = extract(database, Extraction(table=table))
        receipt = lake.publish(lake.stage(TableName("tpch", _TABLE), rows), Mode.REPLACE)
        assert receipt.rows_total == _ROWS

    return run


def connectorx(*, stream: bool) -> Operation:
    import connectorx as cx
    import pyarrow.parquet as pq

    def run() -> None:
        file = DATA / "cx.parquet"
        if not stream:
            whole: Any = cx.read_sql(os.environ[_URL], _QUERY, return_type="arrow")
            pq.write_table(whole, file, compression="zstd")
            return
        read: Any = cx.read_sql(
            os.environ[_URL], _QUERY, return_type="arrow_stream", batch_size=100_000
        )
        with pq.ParquetWriter(file, read.schema, compression="zstd") as writer:
            for batch in read:
                writer.write_batch(batch)

    return run


def dlt() -> Operation:
    """In the peers' environment, with dlt's fastest settings that keep the types."""
    import dlt as tool  # pyright: ignore[reportMissingImports] # only in the peers' environment
    from dlt.sources.sql_database import sql_table  # pyright: ignore[reportMissingImports]

    folder = (DATA / "extract_dlt").absolute()
    shutil.rmtree(folder, ignore_errors=True)
    rows = sql_table(
        credentials=os.environ[_URL].replace("mysql://", "mysql+pymysql://"),
        table=_TABLE,
        backend="pyarrow",
        chunk_size=100_000,
        reflection_level="full_with_precision",
    )
    pipeline = tool.pipeline(
        "bench_mariadb",
        destination=tool.destinations.filesystem(bucket_url=f"file://{folder}/out"),
        dataset_name="tpch",
        pipelines_dir=str(folder / "pipelines"),
    )

    def run() -> None:
        pipeline.extract(rows, write_disposition="replace", loader_file_format="parquet")
        pipeline.normalize()
        pipeline.load()

    return run


def client() -> Operation:
    def run() -> dict[str, float]:
        subprocess.run(
            _client("--quick", "-N", "tpch", "-e", _QUERY), check=True, stdout=subprocess.DEVNULL
        )
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {"client_cpu": used.ru_utime + used.ru_stime}

    return run


VARIANTS = {
    "connectorx": partial(connectorx, stream=True),
    "connectorx_whole": partial(connectorx, stream=False),
    "platform": platform,
    "dlt": dlt,
    "client": client,
}


def main(runs: int) -> None:
    from etl_platform_tests.servers.mariadb import serve

    source(_TABLE)
    # Beside the system's other temporary files: the server's own user has to reach it.
    folder = Path(tempfile.gettempdir()) / "etl-bench-mariadb"
    folder.mkdir(exist_ok=True)
    with serve(folder, _SETTINGS) as server:
        os.environ[_URL] = server.url("tpch")
        load()
        python = peers_python("dlt[parquet]", "sqlalchemy", "pymysql")
        figures = compare("extraction_mariadb", list(VARIANTS), runs, {"dlt": python})
    bars = {
        "platform": "exact; at most 1.10",
        "connectorx": "decimal(38,10)",
        "connectorx_whole": "decimal(38,10)",
        "dlt": "platform: at most 0.15 of it",
        "client": "the limit: rows thrown away",
    }
    report("MariaDB lineitem SF1 to the lake", figures, "connectorx", bars)


if __name__ == "__main__":
    child(VARIANTS[sys.argv[1]])
