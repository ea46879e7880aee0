"""The query tool beside plain DuckDB over the same files: TPC-H, pruning, repeats, predictions.

``python -m benchmarks planning``; plain DuckDB and the platform are asked in turn, with the same
threads and memory, each after a pause of a tenth of a second, as a person or a dashboard leaves
one. Plain DuckDB opens a session per query and reads the lake's Parquet files through views.
``plan here`` is the planner's own effect: planned, and run in a session of this process. ``tool``
is everything: planned, run in a confined process of its own, the result kept, the query recorded.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from functools import cache

from rich.console import Console
from rich.table import Table

from benchmarks import planning_pruning, tpch
from benchmarks.measure import DATA
from etl_platform.core.duck import connect
from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.core.staged import DataFile
from etl_platform.lakehouse.lake import Lake
from etl_platform.metastore import Metastore
from etl_platform.planner.catalog import LakeCatalog
from etl_platform.planner.planning import plan
from etl_platform.query import QueryTool
from etl_platform.query.session import confined

_FOLDER = DATA / "planning"
_REPEATS = 30
_PAUSE_S = 0.1
_CONSOLE = Console(width=110)


def main(runs: int) -> None:
    _FOLDER.mkdir(parents=True, exist_ok=True)
    lake = _lake()
    with tempfile.TemporaryDirectory(prefix="planning-") as new:  # predictions have no history yet
        metastore = Metastore.open(f"sqlite:///{new}/metastore.db")
        tool = QueryTool(lake, metastore)
        tool.run("SELECT 1 AS one")
        _tpch(lake, tool, runs)
        _planning_times(lake, runs)
        planning_pruning.report(lake, tool, runs, timed, _CONSOLE)
        _repeated(tool)
        metastore.close()


def _lake() -> Lake:
    """TPC-H, one file per table."""
    uri = str((_FOLDER / "lake").absolute())
    lake = Lake(settings=Settings(lake_uri=uri, temp_dir=str(_FOLDER.absolute() / "tmp")))
    for name in tpch.TABLES:
        table = TableName("tpch", name)
        if not lake.exists(table):
            lake.publish(lake.stage(table, tpch.stream(name)))
    return lake


def _tpch(lake: Lake, tool: QueryTool, runs: int) -> None:
    table = Table(title="TPC-H SF1, medians in seconds", title_justify="left")
    headings = (
        "query",
        "DuckDB",
        "plan here",
        "ratio",
        "tool",
        "ratio",
        "1.1x + 10 ms",
        "predicted",
    )
    for heading in headings:
        table.add_column(heading, justify="right")
    catalog = LakeCatalog(lake)
    texts = tpch.queries()
    before = {name: tool.plan(sql).estimate.seconds for name, sql in texts.items()}
    for sql in texts.values():
        tool.ask(sql, reuse=False)
    after = {name: tool.plan(sql).estimate.seconds for name, sql in texts.items()}
    taken: dict[str, list[float]] = {}
    for name, sql in texts.items():
        works = (
            lambda sql=sql: _plain(lake, sql),
            lambda sql=sql: _here(lake, catalog, sql),
            lambda sql=sql: tool.ask(sql, reuse=False),
        )
        turns = [[timed(work) for work in works] for _ in range(runs + 1)][1:]
        taken[name] = [statistics.median(column) for column in zip(*turns, strict=True)]
        a, b, c = taken[name]
        held = "held" if c <= 1.1 * a + 0.01 else "MISSED"
        row = (f"{a:.3f}", f"{b:.3f}", f"{b / a:.2f}", f"{c:.3f}", f"{c / a:.2f}", held)
        table.add_row(name, *row, f"{after[name]:.3f}")
    a, b, c = (sum(column) for column in zip(*taken.values(), strict=True))
    table.add_row("total", f"{a:.3f}", f"{b:.3f}", f"{b / a:.2f}", f"{c:.3f}", f"{c / a:.2f}")
    _CONSOLE.print(table)
    for words, predicted in (("before any run", before), ("after one run of each", after)):
        close = sum(0.5 <= predicted[name] / taken[name][2] <= 2 for name in texts)
        _CONSOLE.print(f"predicted within a factor of 2 {words}: {close} of 22 (bar after: 80 %)")
    _CONSOLE.print()


def _planning_times(lake: Lake, runs: int) -> None:
    catalog, taken = LakeCatalog(lake), []
    for turn in range(max(runs, 5) + 1):
        for sql in tpch.queries().values():
            began = time.perf_counter()
            plan(sql, catalog)
            if turn:
                taken.append(time.perf_counter() - began)
    taken.sort()
    p50, p95 = taken[len(taken) // 2], taken[int(len(taken) * 0.95)]
    _CONSOLE.print(f"planning: p50 {p50 * 1e3:.1f} ms (bar 10), p95 {p95 * 1e3:.1f} ms (bar 25)\n")


def _repeated(tool: QueryTool) -> None:
    sql = tpch.queries()["q01"]
    tool.ask(sql)
    taken = sorted(timed(lambda: tool.ask(sql), pause_s=0) for _ in range(_REPEATS))
    _CONSOLE.print(f"repeated query: p50 {taken[_REPEATS // 2] * 1e3:.1f} ms (bar 5)")


def _plain(lake: Lake, sql: str) -> None:
    with connect(lake.settings) as con:
        con.execute("CREATE SCHEMA tpch")
        for name in tpch.TABLES:
            files = ", ".join(f"'{f.uri}'" for f in _files(lake, name))
            con.execute(f"CREATE VIEW tpch.{name} AS SELECT * FROM read_parquet([{files}])")
        con.sql(sql).to_arrow_table()


def _here(lake: Lake, catalog: LakeCatalog, sql: str) -> None:
    planned = plan(sql, catalog)
    with confined(planned.inputs, lake.settings) as con:
        con.sql(planned.sql).to_arrow_table()


@cache
def _files(lake: Lake, name: str) -> tuple[DataFile, ...]:
    return lake.files(TableName("tpch", name))


def timed(work: Callable[[], object], pause_s: float = _PAUSE_S) -> float:
    """Seconds of wall clock, after a pause in which the work before comes to rest."""
    time.sleep(pause_s)
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
