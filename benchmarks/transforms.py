"""Models and steps beside their peers: dbt-duckdb, SQLMesh, DuckDB and Polars by hand.

``python -m benchmarks transforms``. Four comparisons: the 22 queries of TPC-H as models, one
command from its start to its end, of which the platform's also profiles every table and keeps its
version;
ten pipelines of steps (:mod:`benchmarks.step_pipelines`); a run without news of 100 models beside
the full one; an incremental model after 1 % of new rows beside its full refresh. The last two are
the platform's alone, in seconds of the steps of a run, as Dagster shows them.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from rich.console import Console

from benchmarks import step_pipelines, tpch
from benchmarks.measure import report
from benchmarks.model_projects import Project, medians, platform, projects

if TYPE_CHECKING:
    from etl_platform.lakehouse.lake import Lake

_CONSOLE = Console(width=110)
_MODELS = 100
_INCREMENTAL = """/*
materialization: incremental
key: [l_orderkey, l_linenumber]
*/
SELECT
    l.l_orderkey,
    l.l_linenumber,
    o.o_custkey,
    o.o_orderdate,
    l.l_quantity,
    l.l_extendedprice * (1 - l.l_discount) AS revenue,
    l.l_receiptdate - l.l_commitdate AS days_late,
    l.l_shipmode
FROM tpch.lineitem AS l
LEFT JOIN tpch.orders AS o ON o.o_orderkey = l.l_orderkey
"""


def main(runs: int) -> None:
    _queries(runs)
    step_pipelines.main(runs)
    _without_news(runs)
    _incremental(runs)


def _queries(runs: int) -> None:
    made = projects("tpch22", tpch.queries())
    made["platform"] = _full(made["platform"])
    figures = medians(made, runs)
    bars = {"platform": "at most 0.70 of each"}
    for peer in ("dbt-duckdb", "SQLMesh"):
        title = f"TPC-H SF1, 22 queries as models, beside {peer}"
        report(title, {name: figures[name] for name in ("platform", peer)}, peer, bars)


def _without_news(runs: int) -> None:
    models = {
        f"m{i:03}": "SELECT o_orderstatus, count(*) AS orders, sum(o_totalprice) AS total "
        f"FROM tpch.orders WHERE o_orderkey % {_MODELS} = {i} GROUP BY o_orderstatus"
        for i in range(_MODELS)
    }
    project = platform("hundred", models)
    project.run()
    full = [_seconds(_full(project)) for _ in range(runs)]
    none = [_seconds(project) for _ in range(runs)]
    _told(f"{_MODELS} models without news beside all of them", none, full, 0.2)


def _incremental(runs: int) -> None:
    # What a process does once, such as imports, is done by the first model and not counted.
    counted = "SELECT count(*) AS items FROM tpch.lineitem"
    project = platform("incremental", {"a_first": counted, "revenue": _INCREMENTAL})
    lake = _lake(project)
    full, some = [], []
    for turn in range(runs + 1):
        seconds = _seconds(_full(project), "models.revenue")
        _one_percent_more(lake, turn)
        after = _seconds(project, "models.revenue")
        if turn:
            full.append(seconds)
            some.append(after)
    _told("An incremental model after 1 % of new rows beside its full refresh", some, full, 0.15)


def _full(project: Project) -> Project:
    return replace(project, command=(*project.command, "--full-refresh"))


def _seconds(project: Project, table: str | None = None) -> float:
    """The seconds of a run's steps, one after the other, or of that of one table."""
    replace(project, command=(*project.command, "--at-once", "1", "--json")).run()
    printed = (project.folder / "printed.txt").read_text()
    made = json.loads(next(line for line in printed.splitlines() if line.startswith("[{")))
    return sum(one["seconds"] for one in made if table in (None, one["table"]))


def _lake(project: Project) -> Lake:
    from etl_platform.core.settings import Settings
    from etl_platform.lakehouse.lake import Lake

    return Lake(settings=Settings(lake_uri=project.variables["ETL_LAKE_URI"]))


def _one_percent_more(lake: Lake, turn: int) -> None:
    """Append items of orders that are not there yet, as many as 1 % of the items."""
    from etl_platform.core.duck import connect
    from etl_platform.core.names import TableName
    from etl_platform.lakehouse import Mode

    table = TableName("tpch", "lineitem")
    with connect(lake.settings) as con:
        rows = con.sql(
            f"SELECT * REPLACE (l_orderkey + {(turn + 1) * 10_000_000} AS l_orderkey) "
            f"FROM {lake.relation_sql(table, 0)} WHERE l_orderkey % 100 = {turn}"
        )
        lake.publish(lake.stage(table, rows), Mode.APPEND)


def _told(title: str, taken: Sequence[float], base: Sequence[float], bar: float) -> None:
    a, b = statistics.median(taken), statistics.median(base)
    held = "held" if a <= bar * b else "MISSED"
    _CONSOLE.print(f"{title}: {a:.2f} s, {b:.2f} s, ratio {a / b:.2f} (bar {bar}, {held})\n")
