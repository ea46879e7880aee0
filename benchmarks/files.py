"""Files of a folder and a bucket into published tables, beside those who only read them.

Listing 100,000 keys, 10,000 CSV files of 100 rows, looking at what is there, 1 GB of Parquet.
``BENCH_FILES``, ``BENCH_KEYS`` and ``BENCH_PARQUET_SCALE`` make it smaller.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import file_loading, file_peers
from benchmarks.file_data import (
    BUCKET,
    ENDPOINT,
    FILES,
    KEYS,
    LISTED,
    REPLAY,
    ROWS,
    buckets,
    folder,
    parquet,
)
from benchmarks.file_loading import bucket
from benchmarks.measure import Figure, Operation, child, compare, report
from benchmarks.peers import peers_python


def listing(endpoint: str) -> Operation:
    """``ObjectStore.list``: key, size, ETag and time of every object."""
    store = bucket(LISTED, endpoint)
    next(store.list("in/0000/orders-0000001"))  # the client is made before the clock, as boto3's is

    def run() -> dict[str, float]:
        found = sum(one.size_bytes == 0 for one in store.list())
        assert found == KEYS, found
        return {"keys": found}

    return run


def inspect() -> Operation:
    """``etl inspect`` of the small files in the bucket, as a command."""
    command = [str(Path(sys.executable).with_name("etl")), "inspect", "--json"]
    command += [f"s3://{os.environ[BUCKET]}/in", "--endpoint-url", os.environ[ENDPOINT]]

    def run() -> dict[str, float]:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        told: Any = json.loads(done.stdout)
        assert told
        return {}

    return run


VARIANTS: dict[str, Callable[[], Operation]] = {
    "list": partial(listing, ENDPOINT),
    "list_replayed": partial(listing, REPLAY),
    "csv_folder": file_loading.csv_folder,
    "csv_bucket": file_loading.csv_bucket,
    "parquet": file_loading.parquet_file,
    "inspect": inspect,
    **{
        name: getattr(file_peers, name)
        for name in (
            "boto3_list",
            "raw_list",
            "boto3_list_replayed",
            "raw_list_replayed",
            "duckdb_local",
            "duckdb_s3fs",
            "duckdb_boto3",
            "polars_local",
            "polars_s3",
            "dlt_local",
            "dlt_s3",
            "duckdb_copy",
        )
    },
}


def main(runs: int) -> None:
    """Smaller things ``runs`` times; what takes a server of Python's minutes, once or twice."""
    python = peers_python("dlt[duckdb,filesystem,parquet]", "s3fs", "boto3")
    elsewhere = dict.fromkeys(("dlt_local", "dlt_s3", "duckdb_s3fs"), python)
    folder(), parquet()
    with buckets():
        _listing(runs)
        local = ["duckdb_local", "csv_folder", "polars_local", "dlt_local"]
        found = compare("files", local, runs, elsewhere)
        _told("a folder", found, "csv_folder", ("duckdb_local", "polars_local"), "dlt_local")
        away = ["polars_s3", "csv_bucket", "duckdb_boto3", "duckdb_s3fs", "dlt_s3"]
        found = compare("files", away, min(runs, 2), elsewhere, warm_up=False)
        best = ("polars_s3", "duckdb_boto3", "duckdb_s3fs")
        _told("a bucket", found, "csv_bucket", best, "dlt_s3")
        looked = compare("files", ["inspect"], runs)["inspect"]
        print(f"etl inspect of {FILES:,} objects: {looked.seconds:.2f} s (bar: at most 10)")
    found = compare("files", ["duckdb_copy", "parquet"], runs)
    size = parquet().stat().st_size / 1e9
    bar = {"parquet": "at most 1.1"}
    report(f"{size:.2f} GB of Parquet into a table", found, "duckdb_copy", bar)
    _stages(found["parquet"])


def _listing(runs: int) -> None:
    once = compare("files", ["boto3_list", "list", "raw_list"], 1, warm_up=False)
    title = f"{KEYS:,} keys from moto, whose own work is what bare requests take"
    report(title, once, "boto3_list", {"list": "at most 0.6"})
    server = once["raw_list"].seconds
    ours, theirs = (once[name].seconds - server for name in ("list", "boto3_list"))
    print(f"without the server's {server:.1f} s: {max(ours, 0):.2f} s beside {theirs:.2f} s")
    names = ["boto3_list_replayed", "list_replayed", "raw_list_replayed"]
    found = compare("files", names, runs)
    title = f"{KEYS:,} keys, the same pages from a server that has them ready"
    report(title, found, names[0], {"list_replayed": "at most 0.6"})


def _told(place: str, found: dict[str, Figure], ours: str, best: tuple[str, ...], dlt: str) -> None:
    fastest = min(best, key=lambda name: found[name].seconds)
    seconds = found[ours].seconds
    told = (
        f"{seconds / found[fastest].seconds:.2f} x {fastest} (<= 1), "
        f"{seconds / found[dlt].seconds:.2f} x dlt (<= 0.3)"
    )
    report(f"{FILES:,} CSV files of {ROWS} rows from {place}", found, fastest, {ours: told})
    _stages(found[ours])


def _stages(figure: Figure) -> None:
    stages = {name.removesuffix("_s"): s for name, s in figure.extra.items() if name[-2:] == "_s"}
    print("of which " + ", ".join(f"{name} {seconds:.2f} s" for name, seconds in stages.items()))


if __name__ == "__main__":
    child(VARIANTS[sys.argv[1]])
