"""Ten pipelines of declared steps over TPC-H beside the same by hand in DuckDB and in Polars.

All read the same Parquet files with the same threads and hand over an Arrow table. ``steps`` is
the statement that the platform makes of the YAML, with the checks (guards) that it makes run
before, as a first run does; ``again`` is the statement alone where all guards read other tables
only, as a run does after which just the source changed: what held of the same versions still does.
``DuckDB`` and ``Polars`` are what one writes by hand, without such checks.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml
from rich.console import Console
from rich.table import Table

from benchmarks import tpch

if TYPE_CHECKING:
    import duckdb
    import polars as pl

_THREADS = 2
_CONSOLE = Console(width=110)


@dataclass(frozen=True)
class Pipeline:
    """The same work in three forms; ``steps`` is YAML below ``from:``."""

    name: str
    source: str
    steps: str
    sql: str
    polars: Callable[[Callable[[str], pl.LazyFrame]], pl.LazyFrame]


def pipelines() -> tuple[Pipeline, ...]:
    """The ten."""
    import polars as pl

    col = pl.col
    return (
        Pipeline(
            "filter, derive, aggregate",
            "lineitem",
            """
            - filter: l_shipdate <= DATE '1998-09-02'
            - derive: {price: l_extendedprice * (1 - l_discount)}
            - aggregate:
                by: [l_returnflag, l_linestatus]
                values: {n: count(*), total: sum(price)}
            """,
            "SELECT l_returnflag, l_linestatus, count(*) AS n, "
            "sum(l_extendedprice * (1 - l_discount)) AS total FROM tpch.lineitem "
            "WHERE l_shipdate <= DATE '1998-09-02' GROUP BY ALL",
            lambda t: (
                t("lineitem")
                .filter(col("l_shipdate") <= pl.date(1998, 9, 2))
                .group_by("l_returnflag", "l_linestatus")
                .agg(
                    pl.len().alias("n"),
                    (col("l_extendedprice") * (1 - col("l_discount"))).sum().alias("total"),
                )
            ),
        ),
        Pipeline(
            "join many to one, aggregate",
            "orders",
            """
            - join: {table: tpch.customer, on: {o_custkey: c_custkey}, kind: inner,
                     expect: many_to_one, columns: [c_mktsegment]}
            - aggregate: {by: [c_mktsegment, o_orderpriority], values: {total: sum(o_totalprice)}}
            """,
            "SELECT c_mktsegment, o_orderpriority, sum(o_totalprice) AS total FROM tpch.orders "
            "JOIN tpch.customer ON c_custkey = o_custkey GROUP BY ALL",
            lambda t: (
                t("orders")
                .join(t("customer"), left_on="o_custkey", right_on="c_custkey")
                .group_by("c_mktsegment", "o_orderpriority")
                .agg(col("o_totalprice").sum().alias("total"))
            ),
        ),
        Pipeline(
            "deduplicate by order",
            "orders",
            """
            - select: [o_custkey, o_orderkey, o_orderdate, o_totalprice]
            - deduplicate: {by: [o_custkey], order: [o_orderdate desc, o_orderkey desc]}
            """,
            "SELECT o_custkey, o_orderkey, o_orderdate, o_totalprice FROM tpch.orders QUALIFY "
            "row_number() OVER (PARTITION BY o_custkey ORDER BY o_orderdate DESC, o_orderkey DESC) "
            "= 1",
            lambda t: (
                t("orders")
                .select("o_custkey", "o_orderkey", "o_orderdate", "o_totalprice")
                .sort("o_orderdate", "o_orderkey", descending=True)
                .unique("o_custkey", keep="first", maintain_order=True)
            ),
        ),
        Pipeline(
            "cast and fill",
            "lineitem",
            """
            - select: [l_orderkey, l_quantity, l_tax]
            - cast: {columns: {l_quantity: DOUBLE, l_tax: DOUBLE}}
            - fill: {values: {l_tax: 0}}
            - aggregate: {by: [], values: {q: sum(l_quantity), t: sum(l_tax)}}
            """,
            "SELECT sum(CAST(l_quantity AS DOUBLE)) AS q, "
            "sum(coalesce(CAST(l_tax AS DOUBLE), 0)) AS t FROM tpch.lineitem",
            lambda t: t("lineitem").select(
                col("l_quantity").cast(pl.Float64).sum().alias("q"),
                col("l_tax").cast(pl.Float64).fill_null(0).sum().alias("t"),
            ),
        ),
        Pipeline(
            "rules",
            "lineitem",
            """
            - rules:
                column: kind
                rules:
                  - {when: l_shipdate > l_commitdate AND l_receiptdate > l_commitdate, then: late}
                  - {when: "l_shipmode IN ('AIR', 'REG AIR')", then: air}
                  - {when: l_quantity > 40, then: large}
                default: other
            - aggregate: {by: [kind], values: {n: count(*)}}
            """,
            "SELECT CASE WHEN l_shipdate > l_commitdate AND l_receiptdate > l_commitdate "
            "THEN 'late' WHEN l_shipmode IN ('AIR', 'REG AIR') THEN 'air' "
            "WHEN l_quantity > 40 THEN 'large' "
            "ELSE 'other' END AS kind, count(*) AS n FROM tpch.lineitem GROUP BY ALL",
            lambda t: (
                t("lineitem")
                .select(
                    pl.when(
                        (col("l_shipdate") > col("l_commitdate"))
                        & (col("l_receiptdate") > col("l_commitdate"))
                    )
                    .then(pl.lit("late"))
                    .when(col("l_shipmode").is_in(["AIR", "REG AIR"]))
                    .then(pl.lit("air"))
                    .when(col("l_quantity") > 40)
                    .then(pl.lit("large"))
                    .otherwise(pl.lit("other"))
                    .alias("kind")
                )
                .group_by("kind")
                .agg(pl.len().alias("n"))
            ),
        ),
        Pipeline(
            "window over groups",
            "orders",
            """
            - select: [o_custkey, o_orderkey, o_orderdate, o_totalprice]
            - window: {by: [o_custkey], order: [o_orderdate, o_orderkey],
                       values: {running: sum(o_totalprice)}}
            - aggregate: {by: [], values: {highest: max(running)}}
            """,
            "SELECT max(running) AS highest FROM (SELECT sum(o_totalprice) OVER (PARTITION BY "
            "o_custkey ORDER BY o_orderdate, o_orderkey) AS running FROM tpch.orders)",
            lambda t: (
                t("orders")
                .sort("o_orderdate", "o_orderkey")
                .select(col("o_totalprice").cum_sum().over("o_custkey").alias("running"))
                .select(col("running").max().alias("highest"))
            ),
        ),
        Pipeline(
            "sessionise",
            "orders",
            """
            - derive: {at: o_orderdate::TIMESTAMP}
            - sessionise: {by: [o_custkey], at: at, gap: 30d, column: session}
            - aggregate: {by: [o_custkey, session], values: {orders: count(*)}}
            - aggregate: {by: [orders], values: {sessions: count(*)}}
            """,
            "SELECT orders, count(*) AS sessions FROM (SELECT o_custkey, session, count(*) AS "
            "orders FROM (SELECT o_custkey, sum(CASE WHEN o_orderdate - before > 30 THEN 1 "
            "ELSE 0 END) OVER (PARTITION BY o_custkey ORDER BY o_orderdate "
            "ROWS UNBOUNDED PRECEDING) AS session FROM (SELECT o_custkey, o_orderdate, "
            "lag(o_orderdate) OVER (PARTITION BY o_custkey "
            "ORDER BY o_orderdate) AS before FROM tpch.orders)) GROUP BY ALL) GROUP BY ALL",
            lambda t: (
                t("orders")
                .select("o_custkey", "o_orderdate")
                .sort("o_custkey", "o_orderdate")
                .with_columns(
                    (col("o_orderdate").diff() > pl.duration(days=30))
                    .fill_null(value=False)
                    .cast(pl.Int32)
                    .cum_sum()
                    .over("o_custkey")
                    .alias("session")
                )
                .group_by("o_custkey", "session")
                .agg(pl.len().alias("orders"))
                .group_by("orders")
                .agg(pl.len().alias("sessions"))
            ),
        ),
        Pipeline(
            "lookup and pivot",
            "supplier",
            """
            - lookup: {table: tpch.nation, on: {s_nationkey: n_nationkey},
                       columns: [n_name, n_regionkey]}
            - pivot: {by: [n_name], column: n_regionkey, values: [0, 1, 2, 3, 4],
                      aggregate: sum(s_acctbal), prefix: region_}
            """,
            "SELECT n_name, "
            + ", ".join(
                f"sum(s_acctbal) FILTER (WHERE n_regionkey = {i}) AS region_{i}" for i in range(5)
            )
            + " FROM tpch.supplier LEFT JOIN tpch.nation ON n_nationkey = s_nationkey GROUP BY ALL",
            lambda t: (
                t("supplier")
                .join(t("nation"), left_on="s_nationkey", right_on="n_nationkey", how="left")
                .group_by("n_name")
                .agg(
                    *(
                        col("s_acctbal").filter(col("n_regionkey") == i).sum().alias(f"region_{i}")
                        for i in range(5)
                    )
                )
            ),
        ),
        Pipeline(
            "select, filter, aggregate",
            "customer",
            """
            - select: {nation: c_nationkey, balance: c_acctbal}
            - filter: balance > 0
            - aggregate: {by: [nation], values: {n: count(*), total: sum(balance)}}
            """,
            "SELECT c_nationkey AS nation, count(*) AS n, sum(c_acctbal) AS total "
            "FROM tpch.customer WHERE c_acctbal > 0 GROUP BY ALL",
            lambda t: (
                t("customer")
                .filter(col("c_acctbal") > 0)
                .group_by(col("c_nationkey").alias("nation"))
                .agg(pl.len().alias("n"), col("c_acctbal").sum().alias("total"))
            ),
        ),
        Pipeline(
            "as-of join",
            "lineitem",
            """
            - filter: l_orderkey % 8 = 0
            - select: [l_partkey, l_shipdate, l_quantity]
            - derive: {at: l_shipdate::TIMESTAMP}
            - asof_join: {table: tpch.prices, on: {l_partkey: partkey}, at: at, with: since,
                          columns: [price]}
            - aggregate: {by: [], values: {total: sum(l_quantity * price), n: count(price)}}
            """,
            "SELECT sum(l_quantity * price) AS total, count(price) AS n FROM (SELECT l_partkey, "
            "l_shipdate::TIMESTAMP AS at, l_quantity FROM tpch.lineitem WHERE l_orderkey % 8 = 0) "
            "i ASOF LEFT JOIN tpch.prices p ON p.partkey = i.l_partkey AND p.since <= i.at",
            lambda t: (
                t("lineitem")
                .filter(col("l_orderkey") % 8 == 0)
                .select("l_partkey", "l_quantity", at=col("l_shipdate").cast(pl.Datetime("us")))
                .sort("at")
                .join_asof(
                    t("prices").sort("since"),
                    left_on="at",
                    right_on="since",
                    by_left="l_partkey",
                    by_right="partkey",
                )
                .select(
                    (col("l_quantity") * col("price")).sum().alias("total"),
                    col("price").count().alias("n"),
                )
            ),
        ),
    )


def main(runs: int) -> None:
    """Print the medians and the ratio of the steps to the better of the two by hand."""
    import os

    os.environ["POLARS_MAX_THREADS"] = str(_THREADS)
    import duckdb
    import polars as pl

    folder = tpch.source("lineitem").parent
    for name in tpch.TABLES:
        tpch.source(name)
    con = duckdb.connect(config={"threads": _THREADS})
    con.execute("SET enable_progress_bar = false")
    con.execute("CREATE SCHEMA tpch")
    for name in tpch.TABLES:
        con.execute(f"CREATE VIEW tpch.{name} AS SELECT * FROM '{tpch.source(name)}'")
    prices = folder / "prices.parquet"
    con.execute(
        "COPY (SELECT p_partkey AS partkey, p_retailprice + year AS price, "
        f"make_timestamp(year, 1, 1, 0, 0, 0) AS since FROM tpch.part, range(1990, 1999) y(year)) "
        f"TO '{prices}' (FORMAT parquet)"
    )
    con.execute(f"CREATE VIEW tpch.prices AS SELECT * FROM '{prices}'")
    scans = {name: str(tpch.source(name)) for name in tpch.TABLES} | {"prices": str(prices)}
    table = Table(title="Steps beside the same by hand, medians in seconds", title_justify="left")
    for heading in ("pipeline", "steps", "again", "DuckDB", "Polars", "ratio", "again", "bar 1.1"):
        table.add_column(heading, justify="left" if heading == "pipeline" else "right")
    for one in pipelines():
        sql, guards = _compiled(con, one)
        left = _of_source(one, guards)
        works: Mapping[str, Callable[[], object]] = {
            "steps": lambda sql=sql, guards=guards: _steps(con, sql, guards),
            "again": lambda sql=sql, left=left: _steps(con, sql, left),
            "DuckDB": lambda one=one: con.sql(one.sql).to_arrow_table(),
            "Polars": lambda one=one: (
                one.polars(lambda table: pl.scan_parquet(scans[table]))
                .collect(engine="streaming")
                .to_arrow()
            ),
        }
        shapes = {name: _shape(work()) for name, work in works.items()}
        assert len(set(shapes.values())) == 1, (one.name, shapes)
        taken: dict[str, list[float]] = {name: [] for name in works}
        for _ in range(runs):
            for name, work in works.items():
                begun = time.perf_counter()
                work()
                taken[name].append(time.perf_counter() - begun)
        found = [statistics.median(times) for times in taken.values()]
        first, again = (time / min(found[2:]) for time in found[:2])
        held = "held" if first <= 1.1 else "MISSED"
        figures = (*(f"{time:.3f}" for time in found), f"{first:.2f}", f"{again:.2f}")
        table.add_row(one.name, *figures, held)
    _CONSOLE.print(table)


def _steps(con: duckdb.DuckDBPyConnection, sql: str, guards: tuple[str, ...]) -> object:
    for guard in guards:
        assert not con.execute(guard).fetchall()
    return con.sql(sql).to_arrow_table()


def _of_source(one: Pipeline, guards: tuple[str, ...]) -> tuple[str, ...]:
    """The guards that read the table whose rows change."""
    return tuple(guard for guard in guards if f'"tpch"."{one.source}"' in guard)


def _shape(found: Any) -> tuple[int, int]:
    return found.num_rows, found.num_columns


def _compiled(con: duckdb.DuckDBPyConnection, one: Pipeline) -> tuple[str, tuple[str, ...]]:
    """The statement of a pipeline, as a component compiles it, and its guards."""
    from etl_platform.core.names import TableName
    from etl_platform.planner.binding import Binder
    from etl_platform.transforms.pipeline import Declared, Written, compile_steps

    schema: dict[TableName, dict[str, str]] = {}
    for name in (*tpch.TABLES, "prices"):
        rows = con.execute(f"DESCRIBE tpch.{name}").fetchall()
        schema[TableName("tpch", name)] = {row[0]: row[1] for row in rows}
    declared = Declared(
        table=TableName("models", "found"),
        source=TableName("tpch", one.source),
        steps=[Written(step, one.name) for step in yaml.safe_load(one.steps)],
        where=one.name,
        read_file=lambda name, _: name,
    )
    binder = Binder(schema)
    try:
        compiled = compile_steps(declared, schema, binder)
    finally:
        binder.close()
    return compiled.sql, tuple(text for text, _ in compiled.guards)
