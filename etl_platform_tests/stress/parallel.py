"""One writer or reader of the concurrency test: ``parallel (asset_N | query) SECONDS``.

A writer materialises its asset in Dagster runs, one generation after the other; a reader asks for
all assets in one query. Each says ``ready``, waits for a line, works for that time and at least
once, and prints how often it did its work.
"""

from __future__ import annotations

import json
import sys
import time

import dagster as dg
import polars as pl

from etl_platform.io_manager import LakeIOManager
from etl_platform.platform import Platform
from etl_platform.publishing.lake_asset import lake_asset
from etl_platform.resources import LakeResource

ROWS = 20_000


def write(name: str, seconds: float) -> int:
    """Materialise the asset until time is up, at least once; returns the number of runs."""
    generation = 0

    @lake_asset(
        key=["parallel", name],
        contract={
            "rules": [{"rule": "unique", "column": "id"}, {"rule": "not_null", "column": "id"}]
        },
    )
    def asset() -> pl.DataFrame:
        return pl.DataFrame({"id": range(ROWS)}).with_columns(
            pl.lit(generation).alias("generation")
        )

    lake = LakeResource()
    until = time.monotonic() + seconds
    with dg.DagsterInstance.get() as instance:
        while generation == 0 or time.monotonic() < until:
            generation += 1
            result = dg.materialize(
                [asset],
                instance=instance,
                resources={"lake": lake, "lake_io_manager": LakeIOManager(lake=lake)},
            )
            assert result.success
    return generation


def query(seconds: float) -> int:
    """Ask for every table that there is, all at once; returns the number of queries.

    Raises:
        AssertionError: a table was seen with rows of two generations, or not whole.
    """
    platform = Platform.open()
    until = time.monotonic() + seconds
    asked = 0
    while asked == 0 or time.monotonic() < until:
        names = [t.name.sql for t in platform.tables() if t.name.schema == "parallel"]
        if not names:
            continue
        parts = [
            f"SELECT '{name}' AS name, count(*) AS n, count(DISTINCT id) AS ids, "
            f"count(DISTINCT generation) AS generations FROM {name}"
            for name in names
        ]
        for row in platform.query(" UNION ALL ".join(parts)).rows(named=True):
            assert (row["n"], row["ids"], row["generations"]) == (ROWS, ROWS, 1), row
        asked += 1
    return asked


def main() -> None:
    name, seconds = sys.argv[1], float(sys.argv[2])
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(query(seconds) if name == "query" else write(name, seconds)))


if __name__ == "__main__":
    main()
