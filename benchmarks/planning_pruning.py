"""What leaving out files is worth: a table of 1,000 files, of which a filter needs ten.

DuckDB leaves out row groups itself, by the bounds in each file's footer: what a planner can still
save is opening the other 990 files. How much that is at most is the time of DuckDB over exactly
the ten, which is printed too.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import TYPE_CHECKING

from etl_platform.core.duck import connect, read_parquet
from etl_platform.core.names import TableName
from etl_platform.lakehouse.receipt import Mode
from etl_platform.planner.catalog import LakeCatalog
from etl_platform.planner.planning import plan

if TYPE_CHECKING:
    from rich.console import Console

    from etl_platform.lakehouse.lake import Lake
    from etl_platform.query import QueryTool

_VISITS = TableName("bench", "visits")
_ROWS = """
    SELECT
        DATE '2022-01-01' + (i // 20000)::INTEGER AS day,
        TIMESTAMP '2022-01-01' + to_microseconds(i * 4320000) AS happened_at,
        i AS id,
        hash(i) % 100000 AS customer,
        (hash(i + 7) % 1000000) / 100 AS amount
    FROM range(20000000) t(i)
"""
"""A day in each of 1,000 files: 20 million rows, 170 MB."""
_FROM = "SELECT count(*) AS n, max(amount) AS most FROM {}"
_WHERE = " WHERE happened_at >= '2023-03-01' AND happened_at < '2023-03-11'"
_QUERY = _FROM.format(_VISITS.sql) + _WHERE


def report(
    lake: Lake,
    tool: QueryTool,
    runs: int,
    timed: Callable[[Callable[[], object]], float],
    console: Console,
) -> None:
    """Print DuckDB over the folder beside the query tool, and what both are made of."""
    _publish(lake)
    catalog = LakeCatalog(lake)
    read = plan(_QUERY, catalog).inputs[0]
    folder = f"read_parquet('{lake.uri}/{_VISITS.path}/**/*.parquet')"
    few = read_parquet(read.uris)
    works: dict[str, Callable[[], object]] = {
        "DuckDB over the folder": lambda: _plain(lake, _FROM.format(folder) + _WHERE),
        "DuckDB over the files that hold such rows": lambda: _plain(
            lake, _FROM.format(few) + _WHERE
        ),
        "tool": lambda: tool.ask(_QUERY, reuse=False),
        "of that, planning": lambda: plan(_QUERY, catalog),
        "DuckDB's session alone": lambda: _plain(lake, "SELECT 1"),
    }
    turns = [[timed(work) for work in works.values()] for _ in range(runs + 1)][1:]
    taken = [statistics.median(column) for column in zip(*turns, strict=True)]
    console.print(f"pruning: {len(read.uris)} of {read.files_total} files")
    for name, seconds in zip(works, taken, strict=True):
        console.print(f"  {name}: {seconds * 1e3:.1f} ms")
    console.print(
        f"  {taken[0] / taken[2]:.1f}x faster than over the folder (bar 10x), where DuckDB that "
        f"knows the files is {taken[0] / taken[1]:.1f}x faster\n"
    )


def _publish(lake: Lake) -> None:
    if not lake.exists(_VISITS):
        with connect(lake.settings) as con:
            rows = con.sql(_ROWS).to_arrow_reader(122_880)
            lake.publish(lake.stage(_VISITS, rows, partition_by=("day",)), Mode.REPLACE)


def _plain(lake: Lake, sql: str) -> None:
    with connect(lake.settings) as con:
        con.execute(sql).fetchall()
