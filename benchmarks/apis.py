"""REST: 1,000 pages of 100 records, 20 ms each, into a published table, beside peers.

``bare`` is a loop over httpx with ten connections that keeps the records in a list. ``platform``
finds columns and pages itself and publishes a table; ``declared`` has both declared. ``dlt_defer``
is dlt with deferred pages into DuckDB, ``dlt`` its REST source as it comes, in an environment of
their own, as is the server.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.api_server import PAGES, RECORDS, serving
from benchmarks.measure import DATA, Operation, child, compare, report
from benchmarks.peers import peers_python

_URL = "ETL_BENCH_API"
_IMPORTED = (
    "deltalake",
    "duckdb",
    "httpx",
    "msgspec",
    "polars",
    "pyarrow.compute",
    "pyarrow.json",
)
_COLUMNS = {
    "id": "int64",
    "name": "string",
    "email": "string",
    "amount": "float64",
    "active": "bool",
    "created_at": "timestamptz",
    "country": "string",
    "score": "int64",
}
_NUMBERED = {"type": "page_number", "total_pages": "$.total_pages"}


def bare(connections: int = 10) -> Operation:
    import httpx

    async def read() -> list[Any]:
        found: list[Any] = []
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        async with httpx.AsyncClient(base_url=os.environ[_URL], limits=limits) as client:
            first = (await client.get("/items", params={"page": 1})).json()
            found += first["data"]
            numbers = iter(range(2, first["total_pages"] + 1))

            async def work() -> None:
                for number in numbers:
                    answer = await client.get("/items", params={"page": number})
                    found.extend(answer.json()["data"])

            await asyncio.gather(*[work() for _ in range(connections)])
        return found

    def run() -> dict[str, float]:
        count = len(asyncio.run(read()))
        assert count == PAGES * RECORDS, count
        return {"rows": count}

    return run


def platform(**declared: object) -> Operation:
    # Imported before the clock starts, as are the peers.
    for name in _IMPORTED:
        import_module(name)
    from etl_platform.core.names import TableName
    from etl_platform.lakehouse.gate import admit
    from etl_platform.platform import Platform
    from etl_platform.quality import Contract
    from etl_platform.sources.api.extraction import extract
    from etl_platform.sources.api.options import ConnectionOptions
    from etl_platform.sources.api.resources import ResourceOptions
    from etl_platform.sources.api.spool import Spool
    from etl_platform.sources.api.transport import open_transport

    folder = _fresh("platform")
    opened = Platform.open(
        lake_uri=str(folder / "lake"),
        metastore_url=f"sqlite:///{folder / 'metastore.db'}",
        temp_dir=str(folder / "tmp"),
    )
    resource = ResourceOptions.model_validate({"path": "/items", "primary_key": ["id"], **declared})
    options = ConnectionOptions.model_validate(
        {"base_url": os.environ[_URL], "limits": {"concurrent": 10}}
    )

    def run() -> dict[str, float]:
        import time

        started = time.perf_counter()
        transport = open_transport("bench", options)
        spool = Spool.open(folder / "spool", "bench.items")
        with extract(transport, resource, spool=spool) as found:
            fetched_s = time.perf_counter() - started
            admission = admit(opened.lake, TableName("bench", "items"), found.reader(), Contract())
            found.discard()
        transport.close()
        assert admission.receipt.rows_inserted == PAGES * RECORDS
        return {"rows": found.records, "extract_s": fetched_s}

    return run


def _dlt(*, deferred: bool) -> Operation:
    import dlt  # pyright: ignore[reportMissingImports] # only in the peers' environment

    tool: Any = dlt
    folder = _fresh("dlt")
    url = os.environ[_URL]

    def source() -> Any:
        if not deferred:
            from dlt.sources.rest_api import (
                rest_api_source,  # pyright: ignore[reportMissingImports]
            )

            pages = {"base_page": 1, "page_param": "page", "total_path": "total_pages"}
            endpoint = {"path": "items", "data_selector": "data"}
            return rest_api_source(
                {
                    "client": {"base_url": url, "paginator": {"type": "page_number", **pages}},
                    "resources": [{"name": "items", "endpoint": endpoint}],
                }
            )
        from dlt.sources.helpers import requests  # pyright: ignore[reportMissingImports]

        @tool.defer
        def get(number: int) -> Any:
            return requests.get(f"{url}/items", params={"page": number}).json()["data"]

        @tool.resource(name="items")
        def items() -> Iterator[Any]:
            first = requests.get(f"{url}/items", params={"page": 1}).json()
            for number in range(1, first["total_pages"] + 1):
                yield get(number)

        return items()

    def run() -> dict[str, float]:
        pipeline = tool.pipeline(
            "bench_apis",
            destination=tool.destinations.duckdb(str(folder / "dlt.duckdb")),
            dataset_name="bench",
            pipelines_dir=str(folder / "pipelines"),
        )
        pipeline.run(source(), loader_file_format="parquet")
        count = pipeline.last_trace.last_normalize_info.row_counts["items"]
        assert count == PAGES * RECORDS, count
        return {"rows": count}

    return run


def _fresh(name: str) -> Path:
    folder = (DATA / "apis" / name).absolute()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


VARIANTS: dict[str, Callable[[], Operation]] = {
    "bare": bare,
    "platform": platform,
    "declared": partial(platform, columns=_COLUMNS, pagination=_NUMBERED),
    "dlt_defer": partial(_dlt, deferred=True),
    "dlt": partial(_dlt, deferred=False),
}


def main(runs: int) -> None:
    python = peers_python("dlt[duckdb,parquet]", "aiohttp")
    elsewhere = {name: python for name in VARIANTS if name.startswith("dlt")}
    with serving(python) as address:
        os.environ[_URL] = address
        figures = compare("apis", list(VARIANTS), runs, elsewhere)
        del os.environ[_URL]
    ours = figures["platform"].seconds
    bars = {"bare": 1.25, "dlt_defer": 0.45, "dlt": 0.13}
    told = ", ".join(
        f"{ours / figures[peer].seconds:.2f} x {peer} (<= {bar})" for peer, bar in bars.items()
    )
    title = f"REST: {PAGES:,} pages of {RECORDS} records into a table"
    report(title, figures, "bare", {"platform": told})
    for name in ("platform", "declared"):
        print(f"{name}: fetched and read after {figures[name].extra['extract_s']:.2f} s")


if __name__ == "__main__":
    child(VARIANTS[sys.argv[1]])
