"""The 22 TPC-H queries over published tables, beside the same data in a native DuckDB file."""

from __future__ import annotations

import shutil
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.measure import DATA, Operation, child, compare, report
from benchmarks.tpch import TABLES, queries, source, stream

_LAKE = DATA / "scan_lake"
_NATIVE = DATA / "scan_native.duckdb"


def prepare() -> None:
    """Publish all eight tables, and load the same into a DuckDB file, once."""
    import duckdb

    from etl_platform.core.names import TableName
    from etl_platform.core.settings import Settings
    from etl_platform.lakehouse import Lake

    shutil.rmtree(_LAKE, ignore_errors=True)
    _NATIVE.unlink(missing_ok=True)
    lake = Lake(settings=Settings(lake_uri=str(_LAKE.absolute())))
    with duckdb.connect(str(_NATIVE)) as con:
        con.execute("CREATE SCHEMA tpch")
        for table in TABLES:
            lake.publish(lake.stage(TableName("tpch", table), stream(table)))
            con.execute(f"CREATE TABLE tpch.{table} AS FROM read_parquet(?)", [str(source(table))])


def _time_queries(con: object) -> dict[str, float]:
    """Seconds of each query: the median of three rounds; ``first`` is the round before them."""
    rounds: list[dict[str, float]] = []
    for _ in range(4):
        taken: dict[str, float] = {}
        for name, sql in queries().items():
            started = time.perf_counter()
            con.execute(sql).fetchall()  # type: ignore[attr-defined] - a DuckDB connection
            taken[name] = time.perf_counter() - started
        rounds.append(taken)
    first, *later = rounds
    figures = {name: statistics.median(taken[name] for taken in later) for name in first}
    return figures | {"first": sum(first.values())}


def lake() -> Operation:
    from etl_platform.core.duck import connect
    from etl_platform.core.names import TableName
    from etl_platform.core.settings import Settings
    from etl_platform.lakehouse import Lake

    settings = Settings(lake_uri=str(_LAKE.absolute()))
    opened = Lake(settings=settings)
    con = connect(settings)

    def run() -> dict[str, float]:
        con.execute("CREATE SCHEMA tpch")
        for table in TABLES:
            relation = opened.relation_sql(TableName("tpch", table))
            con.execute(f"CREATE VIEW tpch.{table} AS FROM {relation}")
        return _time_queries(con)

    return run


def native() -> Operation:
    import duckdb

    con = duckdb.connect(str(_NATIVE), read_only=True, config={"threads": 2})
    return lambda: _time_queries(con)


def main(runs: int) -> None:
    if not (_NATIVE.exists() and Path(_LAKE).exists()):
        prepare()
    figures = compare("scanning", ["native", "lake"], runs)
    native_s, lake_s = figures["native"].extra, figures["lake"].extra
    totals = {
        name: replace(figure, seconds=sum(figure.extra[query] for query in queries()))
        for name, figure in figures.items()
    }
    bars = {"lake": "at most 1.50 in time"}
    report("TPC-H SF1, total of 22 queries, median of three rounds", totals, "native", bars)
    first = lake_s["first"] / native_s["first"]
    print(f"first round: {native_s['first']:.2f} s and {lake_s['first']:.2f} s, ratio {first:.2f}")
    slowest = sorted(queries(), key=lambda q: lake_s[q] / native_s[q], reverse=True)[:3]
    shown = ", ".join(f"{q} {lake_s[q] / native_s[q]:.2f}" for q in slowest)
    print(f"largest ratios of single queries: {shown}")


if __name__ == "__main__":
    child({"lake": lake, "native": native}[sys.argv[1]])
