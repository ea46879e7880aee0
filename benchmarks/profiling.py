"""Profiling 6,001,215 rows of lineitem, as staged: the full profile beside DuckDB's SUMMARIZE.

``basic`` is what a load does by default at this size, ``full`` everything. ``audit`` is the eight
rules of :mod:`benchmarks.publishing` alone, ``together`` rules and full profile in one audit.
``merge`` merges the profiles of the twelve months of flights, read from their files.
"""

from __future__ import annotations

import importlib
import pickle
import sys
from typing import TYPE_CHECKING

from benchmarks.measure import DATA, Operation, child, compare, report
from benchmarks.publishing import RULES
from benchmarks.tpch import stream

if TYPE_CHECKING:
    from etl_platform.core.staged import Staged
    from etl_platform.lakehouse import Lake
    from etl_platform.quality.profile import LevelChoice

_LAKE = DATA / "profile_lake"
_STAGED = DATA / "profile_staged.pickle"
_MONTHS = DATA / "profile_months.pickle"


def _lake() -> Lake:
    from etl_platform.core.settings import Settings
    from etl_platform.lakehouse import Lake

    folder = str(_LAKE.absolute())
    return Lake(settings=Settings(lake_uri=folder, memory_limit=256 * 1024 * 1024))


def prepare() -> None:
    """Stage lineitem once, and profile the months of flights."""
    from importlib.resources import files

    import polars as pl

    from etl_platform.core.duck import connect
    from etl_platform.core.names import TableName
    from etl_platform.quality.profiling import profile_staged

    lake = _lake()
    _STAGED.write_bytes(pickle.dumps(lake.stage(TableName("tpch", "lineitem"), stream("lineitem"))))
    flights = pl.read_parquet(str(files("etl_platform.demo") / "data" / "flights.parquet"))
    table = TableName("nyc", "flights")
    with connect(lake.settings) as con:
        months = [
            profile_staged(con, lake.stage(table, flights.filter(pl.col("month") == month)))
            for month in range(1, 13)
        ]
    _MONTHS.write_bytes(pickle.dumps([month.to_bytes() for month in months]))


def _staged() -> Staged:
    return pickle.loads(_STAGED.read_bytes())


def _audit(rules: list[dict[str, object]], level: LevelChoice) -> Operation:
    for module in ("datasketches", "numpy", "pandera.polars"):
        importlib.import_module(module)  # which the audit imports when first needed

    from etl_platform.core.duck import connect
    from etl_platform.quality import Contract, audit

    con, staged = connect(_lake().settings), _staged()
    contract = Contract.model_validate({"rules": rules})

    def run() -> None:
        audit(con, staged, contract, relation_of=lambda _: None, level=level)

    return run


def full() -> Operation:
    """Everything, without a rule."""
    return _audit([], "full")


def summarize() -> Operation:
    import duckdb

    con = duckdb.connect(config={"threads": 2})
    files = _staged().uris

    def run() -> None:
        con.execute("SUMMARIZE FROM read_parquet(?)", [files]).fetchall()

    return run


def merge() -> Operation:
    from etl_platform.quality import Profile

    months = [Profile.from_bytes(data) for data in pickle.loads(_MONTHS.read_bytes())]
    Profile.merge(months)  # what is imported at the first use

    def run() -> None:
        Profile.merge(months)

    return run


def prepare_once() -> None:
    """Make what is measured, when it is missing."""
    if not (_STAGED.exists() and _MONTHS.exists()):
        prepare()


def main(runs: int) -> None:
    prepare_once()
    variants = ["summarize", "full", "basic", "audit", "together", "merge"]
    figures = compare("profiling", variants, runs)
    bars = {"full": "at most 0.80 in time, 500 MB", "merge": "at most 0.050 s"}
    report("profile of lineitem SF1", figures, "summarize", bars)
    apart = figures["audit"].seconds + figures["full"].seconds
    ratio = figures["together"].seconds / apart
    print(f"rules and profile in one audit: {ratio:.2f} of the two apart (bar 0.85)")


if __name__ == "__main__":
    child(
        {
            "summarize": summarize,
            "full": full,
            "basic": lambda: _audit([], "basic"),
            "audit": lambda: _audit(RULES, "off"),
            "together": lambda: _audit(RULES, "full"),
            "merge": merge,
        }[sys.argv[1]]
    )
