"""What it costs to run a query in a process of its own, and how quickly one is stopped.

``python -m benchmarks isolation``; the same plan runs in a session of this process and apart, in
turn.
"""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from benchmarks.measure import DATA
from etl_platform.core.errors import LimitExceeded, QueryCancelled
from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse.lake import Lake
from etl_platform.metastore import Metastore
from etl_platform.planner.catalog import LakeCatalog
from etl_platform.planner.planning import plan
from etl_platform.planner.policy import Limits
from etl_platform.query import QueryTool
from etl_platform.query.execution import execute
from etl_platform.query.isolation import RUNNING
from etl_platform.query.session import confined

LINES = TableName("shop", "lines")
SQL = "SELECT id % 10 AS d, count(*) AS n, sum(id) AS s FROM shop.lines GROUP BY ALL ORDER BY d"
RUNAWAY = (
    "SELECT count(DISTINCT md5(a.id::VARCHAR || b.id)) AS n FROM shop.lines a, shop.lines b "
    "WHERE (a.id * b.id) % 3 = 1"
)
LINEITEM = (
    "SELECT count(DISTINCT md5(a.l_comment || b.l_comment)) AS n "
    "FROM tpch.lineitem a, tpch.lineitem b"
)
ROWS = 1_000_000


def main(runs: int) -> None:
    with tempfile.TemporaryDirectory(prefix="isolation-") as folder:
        settings = Settings(lake_uri=f"{folder}/lake", temp_dir=f"{folder}/tmp")
        lake = Lake(settings.lake_uri, settings)
        lake.publish(lake.stage(LINES, pa.table({"id": list(range(ROWS))})))
        tool = QueryTool(lake, Metastore.open(f"sqlite:///{folder}/metastore.db"))
        table = Table("", "median ms", "", title="a query of its own process", title_justify="left")
        _cost(lake, Path(folder), table, max(20, 4 * runs))
        _repeated(tool, table, max(40, 8 * runs))
        _stopped(tool, table, runs, "a runaway query", RUNAWAY)
        _lineitem_stopped(Path(folder), table, runs)
        Console(width=110).print(table)


def _cost(lake: Lake, folder: Path, table: Table, runs: int) -> None:
    planned = plan(SQL, LakeCatalog(lake))
    out = folder / "out.arrow"
    out.touch()

    def here() -> None:
        with confined(planned.inputs, lake.settings) as con:
            con.sql(planned.sql).pl()

    def apart() -> None:
        execute(planned, out, lake.settings)

    here()
    apart()
    took: dict[str, list[float]] = {"here": [], "apart": [], "at once": []}
    for _ in range(runs):
        for name, work in (("here", here), ("apart", apart)):
            time.sleep(0.1)  # as between the queries of a person; a process is ready by then
            took[name].append(_ms(work))
        took["at once"].append(_ms(apart))
    first, second, third = (statistics.median(took[name]) for name in took)
    table.add_row("in a session of this process", f"{first:.1f}", "")
    table.add_row("in a process of its own", f"{second:.1f}", f"{second - first:+.1f} ms per query")
    table.add_row("... right after another", f"{third:.1f}", f"{third - first:+.1f} ms per query")


def _repeated(tool: QueryTool, table: Table, runs: int) -> None:
    tool.run(SQL)
    took = [_ms(lambda: tool.run(SQL)) for _ in range(runs)]
    table.add_row("repeated, from the kept result", f"{statistics.median(took):.1f}", "")


def _stopped(tool: QueryTool, table: Table, runs: int, name: str, sql: str) -> None:
    after: list[float] = []
    held: list[int] = []
    left: list[int] = []
    for _ in range(runs):
        cancel = threading.Event()
        asked: list[float] = []

        def stop(cancel: threading.Event = cancel, asked: list[float] = asked) -> None:
            held.append(_memory())
            asked.append(time.perf_counter())
            cancel.set()

        timer = threading.Timer(2, stop)
        timer.start()
        try:
            tool.ask(sql, cancel=cancel)
        except (QueryCancelled, LimitExceeded):
            timer.join()
            after.append((time.perf_counter() - asked[0]) * 1000)
            left.append(_memory())
    if after:
        told = f"{max(held) / 1e6:,.0f} MB held before, {max(left) / 1e6:,.0f} MB after"
        table.add_row(f"{name} is gone after cancel", f"{statistics.median(after):.0f}", told)
    over: list[float] = []
    for _ in range(runs):
        began = time.perf_counter()
        try:
            tool.ask(sql, limits=Limits(seconds=1))
        except LimitExceeded:
            over.append((time.perf_counter() - began) * 1000 - 1000)
    if over:
        told = f"{_memory() / 1e6:,.0f} MB after"
        table.add_row("... and after its limit of 1 s", f"{statistics.median(over):.0f}", told)


def _lineitem_stopped(folder: Path, table: Table, runs: int) -> None:
    """TPC-H's largest table, at scale factor 1, crossed with itself."""
    root = (DATA / "planning" / "lake").absolute()
    lake = Lake(settings=Settings(lake_uri=str(root), temp_dir=f"{folder}/lineitem"))
    if not lake.exists(TableName("tpch", "lineitem")):
        table.add_row("lineitem crossed with itself", "", "first: python -m benchmarks planning")
        return
    tool = QueryTool(lake, Metastore.open(f"sqlite:///{folder}/lineitem.db"))
    _stopped(tool, table, runs, "lineitem crossed with itself", LINEITEM)


def _memory() -> int:
    """Resident bytes of the processes that queries run in, not of those that wait for one."""
    servers = psutil.Process().children()
    queries = [p for s in servers for p in s.children() if p.name() == RUNNING]
    return sum(p.memory_info().rss for p in queries)


def _ms(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000
