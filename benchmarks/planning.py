"""The query tool beside plain DuckDB over the same files: TPC-H, pruning, repeats, predictions.

``python -m benchmarks planning``; everything runs in this process and in the processes that the
query tool starts, plain DuckDB and the platform in turn. Plain DuckDB opens a session per query and
reads the lake's Parquet files through views; the platform plans, runs in a confined process and
keeps the result.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import cache

import duckdb
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from benchmarks import tpch
from benchmarks.measure import DATA
from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.core.staged import DataFile
from etl_platform.lakehouse.lake import Lake
from etl_platform.lakehouse.receipt import Mode
from etl_platform.metastore import Metastore
from etl_platform.planner.catalog import LakeCatalog
from etl_platform.planner.planning import plan
from etl_platform.query import QueryTool

_FOLDER = DATA / "planning"
_EVENTS = TableName("bench", "events")
_EVENT_FILES = 1_000
_MEASURES = 40
_PRUNED = (
    "SELECT count(*) AS n, sum(amount) AS total FROM bench.events WHERE day BETWEEN 400 AND 409"
)
_REPEATS = 30
_CONSOLE = Console(width=110)


def main(runs: int) -> None:
    _FOLDER.mkdir(parents=True, exist_ok=True)
    lake = _lake()
    metastore = Metastore.open(f"sqlite:///{_FOLDER.absolute()}/metastore.db")
    tool = QueryTool(lake, metastore)
    _tpch(lake, tool, runs)
    _planning_times(lake, runs)
    _pruning(lake, tool, runs)
    _repeated(tool)
    metastore.close()


def _lake() -> Lake:
    """TPC-H, one file per table, and a table of 1,000 files, one per value of ``day``."""
    uri = str((_FOLDER / "lake").absolute())
    lake = Lake(settings=Settings(lake_uri=uri, temp_dir=str(_FOLDER.absolute() / "tmp")))
    for name in tpch.TABLES:
        table = TableName("tpch", name)
        if not lake.exists(table):
            lake.publish(lake.stage(table, tpch.stream(name)))
    if not lake.exists(_EVENTS):
        days = [day for day in range(_EVENT_FILES) for _ in range(500)]
        numbers = pa.array(range(len(days)), pa.int64())
        measures = {f"measure_{i}": numbers for i in range(_MEASURES)}
        events = pa.table({"day": days, "amount": numbers, **measures})
        lake.publish(lake.stage(_EVENTS, events, partition_by=("day",)), Mode.REPLACE)
    return lake


def _tpch(lake: Lake, tool: QueryTool, runs: int) -> None:
    table = Table(title="TPC-H SF1, medians", title_justify="left")
    for heading in ("query", "DuckDB s", "platform s", "ratio", "1.1x + 10 ms", "predicted s"):
        table.add_column(heading, justify="right")
    totals, close = [0.0, 0.0], 0
    for name, sql in tpch.queries().items():
        plain, ours, predicted = [], [], 0.0
        for turn in range(runs + 1):
            taken = _seconds(lambda sql=sql: _plain(lake, sql))
            seconds = _seconds(lambda sql=sql: tool.ask(sql, reuse=False))
            if turn == 1:  # after one run of each
                predicted = tool.ask(sql).plan.estimate.seconds
            if turn:
                plain.append(taken)
                ours.append(seconds)
        a, b = statistics.median(plain), statistics.median(ours)
        totals[0] += a
        totals[1] += b
        close += 0.5 <= predicted / b <= 2
        held = "held" if b <= 1.1 * a + 0.01 else "MISSED"
        table.add_row(name, f"{a:.3f}", f"{b:.3f}", f"{b / a:.2f}", held, f"{predicted:.3f}")
    table.add_row("total", f"{totals[0]:.3f}", f"{totals[1]:.3f}", f"{totals[1] / totals[0]:.2f}")
    _CONSOLE.print(table)
    _CONSOLE.print(f"predicted within a factor of 2: {close} of 22 queries (bar: 80 %)\n")


def _planning_times(lake: Lake, runs: int) -> None:
    catalog, taken = LakeCatalog(lake), []
    for turn in range(max(runs, 5) + 1):
        for sql in tpch.queries().values():
            seconds = _seconds(lambda sql=sql: plan(sql, catalog))
            if turn:
                taken.append(seconds)
    taken.sort()
    p50, p95 = taken[len(taken) // 2], taken[int(len(taken) * 0.95)]
    _CONSOLE.print(f"planning: p50 {p50 * 1e3:.1f} ms (bar 10), p95 {p95 * 1e3:.1f} ms (bar 25)\n")


def _pruning(lake: Lake, tool: QueryTool, runs: int) -> None:
    folder = f"{lake.uri}/{_EVENTS.path}/**/*.parquet"
    plain_sql = _PRUNED.replace("bench.events", f"read_parquet('{folder}')")
    plain, ours = [], []
    for turn in range(runs + 1):
        with duckdb.connect() as con:
            taken = _seconds(lambda: con.execute(plain_sql).fetchall())
        seconds = _seconds(lambda: tool.ask(_PRUNED, reuse=False))
        if turn:
            plain.append(taken)
            ours.append(seconds)
    a, b = statistics.median(plain), statistics.median(ours)
    read = tool.ask(_PRUNED).plan.inputs[0]
    _CONSOLE.print(
        f"pruning: {len(read.uris)} of {read.files_total} files, {b:.3f} s; DuckDB over the folder "
        f"{a:.3f} s: {a / b:.1f}x faster (bar 10x)\n"
    )


def _repeated(tool: QueryTool) -> None:
    sql = tpch.queries()["q01"]
    tool.ask(sql)
    taken = sorted(_seconds(lambda: tool.ask(sql)) for _ in range(_REPEATS))
    _CONSOLE.print(f"repeated query: p50 {taken[_REPEATS // 2] * 1e3:.1f} ms (bar 5)")


def _plain(lake: Lake, sql: str) -> None:
    with duckdb.connect() as con:
        con.execute("CREATE SCHEMA tpch")
        for name in tpch.TABLES:
            files = ", ".join(f"'{f.uri}'" for f in _files(lake, name))
            con.execute(f"CREATE VIEW tpch.{name} AS SELECT * FROM read_parquet([{files}])")
        con.sql(sql).to_arrow_table()


@cache
def _files(lake: Lake, name: str) -> tuple[DataFile, ...]:
    return lake.files(TableName("tpch", name))


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
