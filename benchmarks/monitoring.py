"""What watching costs: scrapes of the metrics endpoint and ``etl status`` with 1,000 tables.

And 60 trivial assets in one run: as tables of the platform, and as plain assets of Dagster that
write the same rows to Parquet; each as it is shipped, and with the other's storage of events.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread
from urllib.request import Request, urlopen

from benchmarks.measure import DATA, Operation, child, compare, report

TABLES = 1_000
ASSETS = 60
SCRAPES = 100
ACCEPT = "application/openmetrics-text;version=1.0.0"
"""The form that Prometheus asks for."""
FOLDER = (DATA / "monitoring").absolute()


def _lake() -> None:
    """A thousand small tables with receipts and audits, made once."""
    import pyarrow as pa

    from etl_platform import Platform
    from etl_platform.core.names import TableName
    from etl_platform.lakehouse.gate import admit
    from etl_platform.quality import Contract

    platform = Platform.open()
    contract = Contract.model_validate({"rules": [{"rule": "not_null", "column": "id"}]})
    for number in range(len(platform.tables()), TABLES):
        table = TableName("bench", f"table_{number:04}")
        data = pa.table({"id": [number], "name": ["x"]})
        admit(platform.lake, table, data, contract, metastore=platform.metastore)


def scrape() -> Operation:
    """The endpoint in a thread of its own; every scrape is the first after a look."""
    from etl_platform import Platform
    from etl_platform.metrics import Exposition, TableMetrics
    from etl_platform.metrics.exposition import serve

    exposition = Exposition([TableMetrics(Platform.open())])
    began = time.perf_counter()
    exposition.gather()
    gathered = time.perf_counter() - began
    server = serve(exposition, "127.0.0.1", 0)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/metrics"
    scraped = Request(url, headers={"Accept": ACCEPT})

    def run() -> dict[str, float]:
        taken: list[float] = []
        for _ in range(SCRAPES):
            exposition.gather()
            at = time.perf_counter()
            with urlopen(scraped) as answer:
                size = len(answer.read())
            taken.append((time.perf_counter() - at) * 1000)
        return {
            "gather_s": gathered,
            "bytes": size,
            "median_ms": statistics.median(taken),
            "p95_ms": statistics.quantiles(taken, n=20)[-1],
            "worst_ms": max(taken),
        }

    return run


def status() -> Operation:
    """The command, from the start of its process to its end."""
    etl = str(Path(sys.executable).with_name("etl"))

    def run() -> None:
        told = subprocess.run([etl, "status", "--json"], capture_output=True, check=True)
        assert told.stdout.count(b'"table":') >= TABLES

    return run


def _materialised(
    assets: list[object], resources: dict[str, object], *, shipped: bool
) -> Operation:
    """The assets in one run; ``shipped`` keeps events as ``dagster.yaml`` of the project says."""
    import logging

    import dagster as dg

    home = FOLDER / "home"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    if shipped:
        shutil.copy2("dagster.yaml", home)
    os.environ["DAGSTER_HOME"] = str(home)
    logging.disable(logging.CRITICAL)
    instance = dg.DagsterInstance.get()
    dg.materialize(assets[:1], instance=instance, resources=resources)  # imports, storage

    def run() -> None:
        result = dg.materialize(assets, instance=instance, resources=resources)
        assert result.success

    return run


def platform_assets() -> Operation:
    return _platform_assets(shipped=True)


def platform_assets_in_dagsters_storage() -> Operation:
    return _platform_assets(shipped=False)


def dagster_assets() -> Operation:
    return _dagster_assets(shipped=False)


def dagster_assets_in_the_platforms_storage() -> Operation:
    return _dagster_assets(shipped=True)


def _platform_assets(*, shipped: bool) -> Operation:
    import dagster as dg
    import pyarrow as pa

    from etl_platform.io_manager import LakeIOManager
    from etl_platform.publishing.lake_asset import lake_asset
    from etl_platform.resources import LakeResource

    shutil.rmtree(FOLDER / "assets", ignore_errors=True)
    os.environ["ETL_LAKE_URI"] = str(FOLDER / "assets")

    def made(number: int) -> dg.AssetsDefinition:
        @lake_asset(key=["bench", f"asset_{number:02}"])
        def asset():  # the same
            return pa.table({"id": range(100), "n": [number] * 100})

        return asset

    lake = LakeResource()
    resources = {"lake": lake, "lake_io_manager": LakeIOManager(lake=lake)}
    return _materialised([made(number) for number in range(ASSETS)], resources, shipped=shipped)


def _dagster_assets(*, shipped: bool) -> Operation:
    import dagster as dg
    import polars as pl

    folder = FOLDER / "plain"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)

    def made(number: int) -> dg.AssetsDefinition:
        @dg.asset(key=["bench", f"asset_{number:02}"])
        def asset():  # Dagster reads annotations, which name nothing that it would find here
            frame = pl.DataFrame({"id": range(100), "n": [number] * 100})
            frame.write_parquet(folder / f"{number}.parquet")
            return dg.MaterializeResult(metadata={"dagster/row_count": 100})

        return asset

    return _materialised([made(number) for number in range(ASSETS)], {}, shipped=shipped)


def main(runs: int) -> None:
    """Print every comparison."""
    os.environ["ETL_METASTORE_URL"] = f"sqlite:///{FOLDER / 'metastore.db'}"
    os.environ["ETL_LAKE_URI"] = str(FOLDER / "lake")
    FOLDER.mkdir(parents=True, exist_ok=True)
    _lake()
    name = "monitoring"
    found = compare(name, ["scrape", "status"], runs)
    told = found["scrape"].extra
    print(
        f"{TABLES:,} tables, {told['bytes'] / 1e6:.2f} MB: gathered in {told['gather_s']:.2f} s; "
        f"a scrape takes {told['median_ms']:.1f} ms (median), p95 {told['p95_ms']:.1f} ms "
        f"(bar: at most 50), at worst {told['worst_ms']:.1f} ms"
    )
    print(f"etl status: {found['status'].seconds:.2f} s (bar: at most 1)")
    report(
        f"{ASSETS} trivial assets in one run",
        compare(
            name,
            [
                "dagster_assets",
                "platform_assets",
                "platform_assets_in_dagsters_storage",
                "dagster_assets_in_the_platforms_storage",
            ],
            runs,
        ),
        "dagster_assets",
        {"platform_assets": "at most 1.2"},
    )


if __name__ == "__main__":
    child(globals()[sys.argv[1]])
