"""The real flights as assets in every mode; a process that materialises one of them.

``python -m etl_platform_tests.stress.flights ASSET GENERATION [FAILED_RUN_ID]`` prints ``ready``
when everything is imported, then runs the asset, or resumes the failed run. Each row carries the
generation, so that a reader can tell from which run it came.
"""

from __future__ import annotations

import os
import sys
from importlib.resources import files

import dagster as dg
import polars as pl

from etl_platform.io_manager import LakeIOManager
from etl_platform.publishing.lake_asset import lake_asset
from etl_platform.resources import LakeResource

KEY = ["year", "month", "day", "carrier", "flight", "origin", "sched_dep_time"]
APPENDED_SHARE = 10
CONTRACT = {
    "rules": [
        {"rule": "not_null", "column": "origin"},
        {"rule": "unique", "columns": [*KEY, "generation"]},
    ]
}


def flights(generation: int) -> pl.LazyFrame:
    """All 336,776 flights of one generation; delays differ from generation to generation."""
    path = str(files("etl_platform.demo") / "data" / "flights.parquet")
    return pl.scan_parquet(path).with_columns(
        pl.lit(generation, pl.Int32).alias("generation"), pl.col("dep_delay") + generation
    )


def appended(generation: int) -> pl.LazyFrame:
    """The tenth of the flights that one append brings."""
    return flights(generation).filter(pl.col("flight") % APPENDED_SHARE == 0)


def _generation() -> int:
    return int(os.environ["FLIGHTS_GENERATION"])


@lake_asset(key=["kills", "replace"], contract=CONTRACT)
def replace() -> pl.LazyFrame:
    return flights(_generation())


@lake_asset(key=["kills", "append"], mode="append", contract=CONTRACT)
def append() -> pl.LazyFrame:
    return appended(_generation())


@lake_asset(key=["kills", "upsert"], mode="upsert", merge_key=KEY, contract=CONTRACT)
def upsert() -> pl.LazyFrame:
    return flights(_generation())


ASSETS = {"replace": replace, "append": append, "upsert": upsert}


@dg.repository
def repository() -> list[object]:
    lake = LakeResource()
    # In one process, so that kill -9 hits the work and not only who waits for it.
    jobs = [
        dg.define_asset_job(name, [asset], executor_def=dg.in_process_executor)
        for name, asset in ASSETS.items()
    ]
    return [
        *dg.with_resources(
            list(ASSETS.values()), {"lake": lake, "lake_io_manager": LakeIOManager(lake=lake)}
        ),
        *jobs,
    ]


def replace_job() -> dg.JobDefinition:
    return repository.get_job("replace")


def append_job() -> dg.JobDefinition:
    return repository.get_job("append")


def upsert_job() -> dg.JobDefinition:
    return repository.get_job("upsert")


JOBS = {"replace": replace_job, "append": append_job, "upsert": upsert_job}
"""Functions, because a worker finds a job by the function that makes it."""


def main() -> None:
    name, generation, *resumed = sys.argv[1:]
    os.environ["FLIGHTS_GENERATION"] = generation
    with dg.DagsterInstance.get() as instance:
        print("ready", flush=True)
        sys.stdin.readline()
        options = dg.ReexecutionOptions.from_failure(resumed[0], instance) if resumed else None
        # As the UI and the daemon tag a run that they resume; the Python call leaves it out.
        tags = {"dagster/is_resume_retry": "true"} if resumed else {}
        target = dg.reconstructable(JOBS[name])
        with dg.execute_job(target, instance, tags=tags, reexecution_options=options) as result:
            assert result.success
        print("done", flush=True)


if __name__ == "__main__":
    # Imported under its own name, so that a worker can import it too.
    from etl_platform_tests.stress import flights as module

    module.main()
