"""An aggregation that a rollup answers, beside the same one over the table: TPC-H lineitem.

``python -m benchmarks rollups``; in a DuckDB session over the Parquet files, and through the query
tool with all that it does around a query: a process, a session, a stored result. The rollup is by
day of shipping, flag and status, as a model would make it; that of the last query has its groups.
"""

from __future__ import annotations

import statistics
import time

import duckdb
from rich.console import Console
from rich.table import Table

from benchmarks import tpch
from benchmarks.measure import DATA
from etl_platform.compute.duckdb_engine import run
from etl_platform.core.duck import connect
from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse.lake import Lake
from etl_platform.lakehouse.origin import Origin
from etl_platform.metastore import Metastore
from etl_platform.planner.catalog import LakeCatalog
from etl_platform.planner.plan import Plan
from etl_platform.planner.planning import plan
from etl_platform.query import QueryTool

_FOLDER = DATA / "rollups"
_LINEITEM = TableName("tpch", "lineitem")
_ROLLUP = TableName("mart", "shipped")
_SQL = """
    SELECT l_returnflag, l_linestatus, l_shipdate, count(*) AS lines,
        sum(l_quantity) AS quantity, count(l_quantity) AS quantities,
        sum(l_extendedprice) AS price, count(l_extendedprice) AS prices,
        sum(l_discount) AS discount, count(l_discount) AS discounts,
        sum(l_extendedprice * (1 - l_discount)) AS revenue,
        sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)) AS charge
    FROM tpch.lineitem GROUP BY ALL
"""
_QUERIES = {
    "TPC-H q01": tpch.queries()["q01"],
    "revenue by month": """
        SELECT date_trunc('month', l_shipdate) AS month, count(*) AS lines,
            sum(l_extendedprice * (1 - l_discount)) AS revenue
        FROM tpch.lineitem GROUP BY month ORDER BY month""",
    "means by flag": """
        SELECT l_returnflag, avg(l_quantity), avg(l_extendedprice), max(l_shipdate)
        FROM tpch.lineitem WHERE l_shipdate >= DATE '1995-01-01' GROUP BY l_returnflag""",
    "days shipped": """
        SELECT year(l_shipdate) AS year, count(DISTINCT l_shipdate) AS days, count(*) AS lines
        FROM tpch.lineitem GROUP BY year ORDER BY year""",
}
_MODES = """
    SELECT l_shipmode, count(DISTINCT l_partkey) AS parts, median(l_extendedprice) AS half
    FROM tpch.lineitem GROUP BY l_shipmode
"""
_QUERIES["parts by ship mode"] = _MODES
_MANY = 40


def main(runs: int) -> None:
    _FOLDER.mkdir(parents=True, exist_ok=True)
    folder = _FOLDER.absolute()
    lake = Lake(settings=Settings(lake_uri=f"{folder}/lake", temp_dir=f"{folder}/tmp"))
    metastore = Metastore.open(f"sqlite:///{folder}/metastore.db")
    tool = QueryTool(lake, metastore)
    if not lake.exists(_LINEITEM):
        lake.publish(lake.stage(_LINEITEM, tpch.stream("lineitem")))
    table = Table(title="Aggregations of lineitem, SF1, medians", title_justify="left")
    for heading in (
        "query",
        "in DuckDB: table s",
        "rollup s",
        "faster",
        "tool: table s",
        "rollup s",
    ):
        table.add_column(heading, justify="right")
    for name, sql in _QUERIES.items():
        made = _MODES if sql == _MODES else _SQL
        _publish(lake, _ROLLUP, declared=False, sql=made)
        rows, base = _rows(tool, sql), tool.plan(sql)
        _publish(lake, _ROLLUP, declared=True, sql=made)
        planned = tool.plan(sql)
        assert [t.table for t in planned.inputs] == [_ROLLUP]
        assert _rows(tool, sql) == rows
        plain: list[float] = []
        over: list[float] = []
        through: list[float] = []
        for _ in range(runs):
            plain.append(_in_duckdb(base))
            over.append(_in_duckdb(planned))
            through.append(_seconds(tool, sql))
        _publish(lake, _ROLLUP, declared=False, sql=made)
        whole = [_seconds(tool, sql) for _ in range(runs)]
        a, b, c, d = (statistics.median(times) for times in (plain, over, whole, through))
        table.add_row(name, f"{a:.4f}", f"{b:.4f}", f"{a / b:.0f}x", f"{c:.3f}", f"{d:.3f}")
    console = Console(width=110)
    console.print(table)
    _many(lake, runs, console)
    metastore.close()


def _many(lake: Lake, runs: int, console: Console) -> None:
    """Planning what dozens of rollups are asked about and none answers."""
    for i in range(_MANY):
        _publish(lake, TableName("mart", f"few_{i}"), declared=True, sql=_FEW.format(i=i + 2))
    catalog, taken = LakeCatalog(lake), []
    sql = "SELECT l_suppkey, sum(l_tax) FROM tpch.lineitem GROUP BY l_suppkey"
    for _ in range(runs * 10):
        started = time.perf_counter()
        assert not any(rule.changed for rule in plan(sql, catalog).rules if rule.rule == "rollups")
        taken.append(time.perf_counter() - started)
    console.print(
        f"planning beside {_MANY} rollups that do not answer: "
        f"p50 {statistics.median(taken) * 1e3:.1f} ms (bar 10)"
    )


_FEW = "SELECT l_linenumber % {i} AS part, count(*) AS lines FROM tpch.lineitem GROUP BY part"


def _publish(lake: Lake, table: TableName, *, declared: bool, sql: str = _SQL) -> None:
    pinned = lake.snapshot(_LINEITEM)
    with connect(lake.settings) as con:
        staged = lake.stage(table, run(con, sql, lambda _: pinned.relation_sql()))
    origin = Origin({_LINEITEM: pinned.version}, sql=sql, rollup="exact" if declared else None)
    lake.publish(staged, annotations=origin.annotation(), schema_change="any")


def _rows(tool: QueryTool, sql: str) -> list[str]:
    return sorted(map(repr, tool.ask(sql, reuse=False).result.frame().rows()))


def _seconds(tool: QueryTool, sql: str) -> float:
    started = time.perf_counter()
    tool.ask(sql, reuse=False)
    return time.perf_counter() - started


def _in_duckdb(planned: Plan) -> float:
    """Seconds that a DuckDB session needs for a plan's SQL over Parquet; opening it not counted."""
    with duckdb.connect() as con:
        for table in planned.inputs:
            con.execute(f"CREATE SCHEMA {table.table.schema}")
            con.execute(f"CREATE VIEW {table.table.sql} AS SELECT * FROM {table.visible_sql}")
        started = time.perf_counter()
        con.sql(planned.sql).to_arrow_table()
        return time.perf_counter() - started
