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
from etl_platform.query.session import confined

LINES = TableName("shop", "lines")
SQL = "SELECT id % 10 AS d, count(*) AS n, sum(id) AS s FROM shop.lines GROUP BY ALL ORDER BY d"
RUNAWAY = (
    "SELECT count(DISTINCT md5(a.id::VARCHAR || b.id)) AS n FROM shop.lines a, shop.lines b "
    "WHERE (a.id * b.id) % 3 = 1"
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
        _stopped(tool, table, runs)
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
    took: dict[str, list[float]] = {"here": [], "apart": []}
    for _ in range(runs):
        took["here"].append(_ms(here))
        took["apart"].append(_ms(apart))
    first, second = (statistics.median(took[name]) for name in ("here", "apart"))
    table.add_row("in a session of this process", f"{first:.1f}", "")
    table.add_row("in a process of its own", f"{second:.1f}", f"{second - first:+.1f} ms per query")


def _repeated(tool: QueryTool, table: Table, runs: int) -> None:
    tool.run(SQL)
    took = [_ms(lambda: tool.run(SQL)) for _ in range(runs)]
    table.add_row("repeated, from the kept result", f"{statistics.median(took):.1f}", "")


def _stopped(tool: QueryTool, table: Table, runs: int) -> None:
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
            tool.ask(RUNAWAY, cancel=cancel)
        except (QueryCancelled, LimitExceeded):
            timer.join()
            after.append((time.perf_counter() - asked[0]) * 1000)
            left.append(_memory())
    if after:
        told = f"{max(held) / 1e6:,.0f} MB held before, {max(left) / 1e6:,.0f} MB after"
        table.add_row(
            "a runaway query is gone after cancel", f"{statistics.median(after):.0f}", told
        )
    over: list[float] = []
    for _ in range(runs):
        began = time.perf_counter()
        try:
            tool.ask(RUNAWAY, limits=Limits(seconds=1))
        except LimitExceeded:
            over.append((time.perf_counter() - began) * 1000 - 1000)
    if over:
        table.add_row("... and after its limit of 1 s", f"{statistics.median(over):.0f}", "")


def _memory() -> int:
    """Resident bytes of the processes that queries run in; the one that forks them is not one."""
    servers = psutil.Process().children()
    return sum(p.memory_info().rss for s in servers for p in s.children())


def _ms(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000
