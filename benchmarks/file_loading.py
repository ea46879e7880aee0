"""What ``FileSource`` does in a run, without Dagster around it: from the listing to the commit."""

from __future__ import annotations

import os
import time
from importlib import import_module
from typing import TYPE_CHECKING

from benchmarks.file_data import BUCKET, ENDPOINT, FILES, REGION, ROWS, folder, fresh, parquet
from benchmarks.measure import Operation

if TYPE_CHECKING:
    from etl_platform.core.objects import ObjectStore

_IMPORTED = (
    "deltalake",
    "duckdb",
    "polars",
    "pyarrow.compute",
    "pyarrow.csv",
    "pyarrow.parquet",
    "etl_platform.components",
)


def bucket(name: str, endpoint: str, prefix: str = "") -> ObjectStore:
    """A bucket of the benchmark's server as the platform sees it."""
    from etl_platform.core.objects import S3Connection, S3Store

    connection = S3Connection(region=REGION, endpoint_url=os.environ[endpoint])
    return S3Store(os.environ[name], prefix, connection)


def csv_folder() -> Operation:
    """The small files of the folder."""
    from etl_platform.core.objects import LocalStore

    return _load(LocalStore(folder()), "csv_folder", FILES * ROWS)


def csv_bucket() -> Operation:
    """The small files of the bucket."""
    store = bucket(BUCKET, ENDPOINT, "in")
    store.head("none")  # as for the peers, the client is made before the clock starts
    return _load(store, "csv_bucket", FILES * ROWS)


def parquet_file() -> Operation:
    """One large file."""
    from etl_platform.core.objects import LocalStore

    return _load(LocalStore(parquet().parent), "parquet")


def _load(store: ObjectStore, name: str, expected: int | None = None) -> Operation:
    # Imported before the clock starts, as are the peers.
    for module in _IMPORTED:
        import_module(module)
    from etl_platform.components.file_source.known_files import KnownFiles
    from etl_platform.components.file_source.reckoning import reckon
    from etl_platform.core.names import TableName
    from etl_platform.lakehouse import Mode
    from etl_platform.lakehouse.gate import admit
    from etl_platform.platform import Platform
    from etl_platform.quality import Contract
    from etl_platform.sources.files import FileOptions
    from etl_platform.sources.files.agreement import Agreement
    from etl_platform.sources.files.discovery import look
    from etl_platform.sources.files.ingestion import Ingestion
    from etl_platform.sources.files.units import Units

    target, table = fresh(name), TableName("bench", "items")
    opened = Platform.open(
        lake_uri=str(target / "lake"),
        metastore_url=f"sqlite:///{target / 'metastore.db'}",
        temp_dir=str(target / "tmp"),
    )

    def run() -> dict[str, float]:
        lake, columns = opened.lake, Agreement(None)
        started = time.perf_counter()
        with (
            KnownFiles.open(lake, table) as known,
            Units.open(target / "tmp" / "files", table.sql, known.state) as units,
        ):
            looked = look(store.list(), ())
            listed = time.perf_counter()
            objects = [one.info for one in looked.news]
            ingested = Ingestion(store, FileOptions(), columns, units).run(objects)
            read = time.perf_counter()
            reckoning = reckon(looked, ingested, "replace")
            assert columns.schema is not None
            assert not reckoning.bad
            with ingested.rows(lake.settings, columns.schema) as data:
                found = admit(
                    lake,
                    table,
                    data,
                    Contract(),
                    mode=Mode.APPEND,
                    annotate=lambda before: known.follow(before, reckoning.entries, reckoning.gone),
                    batch=reckoning.digest,
                )
            units.remove()
        rows = found.receipt.rows_inserted
        assert expected is None or rows == expected, rows
        return {
            "rows": rows,
            "list_s": listed - started,
            "read_s": read - listed,
            **{f"{stage}_s": seconds for stage, seconds in found.stages.items()},
        }

    return run
