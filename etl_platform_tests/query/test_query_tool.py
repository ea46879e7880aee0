"""The query tool over a real lake: rows, versions, confinement, history."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pytest

from etl_platform.core.errors import PermanentError, QueryRefused, UnknownName
from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse.lake import Lake
from etl_platform.lakehouse.receipt import Mode
from etl_platform.metastore import Metastore
from etl_platform.planner.catalog import LakeCatalog
from etl_platform.planner.planning import plan
from etl_platform.query import QueryTool
from etl_platform.query.session import confined

ORDERS = TableName("shop", "orders")
SECRET = TableName("shop", "secret")


@pytest.fixture
def lake(tmp_path: Path, lake_place: Callable[[Path], dict[str, str]]) -> Lake:
    given = {**lake_place(tmp_path), "temp_dir": str(tmp_path / "tmp"), "threads": 2}
    lake = Lake(settings=Settings.model_validate(given))
    lake.publish(
        lake.stage(
            ORDERS, pa.table({"id": [1, 2, 3], "qty": [5, 7, None], "Name": ["a", "b", "é"]})
        )
    )
    lake.publish(lake.stage(SECRET, pa.table({"word": ["hidden"]})))
    return lake


@pytest.fixture
def metastore(tmp_path: Path) -> Metastore:
    return Metastore.open(f"sqlite:///{tmp_path}/meta.db")


@pytest.fixture
def tool(lake: Lake, metastore: Metastore) -> QueryTool:
    return QueryTool(lake, metastore)


def test_rows_come_back_with_exact_types(tool: QueryTool) -> None:
    frame = tool.run("select sum(qty) as total, count(*) as n, max(name) as last from shop.orders")
    assert frame.rows() == [(Decimal(12), 3, "é")]
    assert frame.schema == {"total": pl.Decimal(38, 0), "n": pl.Int64, "last": pl.String}


def test_parameters_are_bound_by_name_and_by_position(tool: QueryTool) -> None:
    by_name = tool.run("select id from shop.orders where name = $n", {"n": "b' or 1=1 --"})
    assert by_name.is_empty()
    assert tool.run("select id from shop.orders where qty > ? and id < ?", [5, 3]).rows() == [(2,)]


def test_a_query_sees_one_version_of_each_table_and_says_which(
    lake: Lake, tool: QueryTool, metastore: Metastore
) -> None:
    lake.publish(lake.stage(ORDERS, pa.table({"id": [4], "qty": [1], "Name": ["d"]})), Mode.APPEND)
    sql = "select (select count(*) from shop.orders) as a, count(*) as b from orders, shop.orders"
    with pytest.raises(UnknownName) as caught:
        tool.run(sql)
    assert caught.value.nearest == "shop.orders"
    assert tool.run(sql.replace("from orders, ", "from ")).rows() == [(4, 4)]
    newest = metastore.queries(1)[0]
    assert json.loads(newest.tables) == {"shop.orders": lake.version(ORDERS)}
    assert (newest.status, newest.rows) == ("ok", 1)
    assert newest.seconds > 0


def test_every_outcome_is_recorded(tool: QueryTool, metastore: Metastore) -> None:
    tool.run("select 1 as one")
    for sql, error in {
        "drop table shop.orders": QueryRefused,
        "select nme from shop.orders": UnknownName,
        "select name::integer as x from shop.orders": PermanentError,
    }.items():
        with pytest.raises(error):
            tool.run(sql)
    history = [(q.status, q.rows, (q.error or "").splitlines()[:1]) for q in metastore.queries(4)]
    assert [(status, rows) for status, rows, _ in history] == [
        ("failed", None),
        ("failed", None),
        ("refused", None),
        ("ok", 1),
    ]
    assert history[1][2] == ["SQL:1:8: unknown column 'nme'"]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("select 1 from shop.ordes", r"SQL:1:15: unknown table 'shop\.ordes'"),
        ("select 1\nfrom shop.orders o where o.nam = 'a'", "SQL:2:28: unknown column 'nam'"),
        ("select $x as a", "Values were not provided"),
        ("select sum(name) from shop.orders", "SQL:1:8: No function matches"),
        ("select interval 1 day as i", "column 'i' is an INTERVAL"),
        ("from information_schema.tables", "unknown table"),
        ("from duckdb_settings", "unknown table"),
        ("from 'x.parquet'", "unknown table"),
    ],
)
def test_a_failing_query_says_why(tool: QueryTool, sql: str, message: str) -> None:
    with pytest.raises(PermanentError, match=message):
        tool.run(sql)


def test_python_variables_are_not_tables(tool: QueryTool) -> None:
    frame = pl.DataFrame({"a": [1]})
    with pytest.raises(UnknownName):
        tool.run("select * from frame")
    assert frame.height == 1


def test_an_empty_table_can_be_queried(lake: Lake, tool: QueryTool) -> None:
    empty = TableName("shop", "empty")
    lake.publish(lake.stage(empty, pa.table({"a": pa.array([], pa.int64())})))
    assert tool.run("select a from shop.empty").schema == {"a": pl.Int64}


def test_a_query_that_needs_more_memory_than_it_may_is_told_so(lake: Lake) -> None:
    small = Lake(lake.uri, lake.settings.model_copy(update={"memory_limit": 70 * 1024 * 1024}))

    class Forgetful:
        def record_query(self, record: object) -> None:
            """This test is not about history."""

    with pytest.raises(PermanentError, match="needs more memory"):
        QueryTool(small, Forgetful()).run(
            "select list(r) as l from (select repeat('x', 1000) || range as r from range(1000000))"
        )


@pytest.mark.parametrize(
    "sql",
    [
        "select * from read_text('/etc/passwd')",
        "select * from read_parquet('{lake}/shop/secret/**')",
        "select * from read_parquet('{file}/../../secret/{secret}')",
        "select * from glob('{lake}/*')",
        "copy (select 1) to '{lake}/shop/orders/x.parquet'",
        "attach '{lake}/x.db'",
        "set enable_external_access = true",
        "set allowed_paths = ['/etc/passwd']",
        "set memory_limit = '100GB'",
        "load httpfs",
        "from shop.secret",
    ],
)
def test_the_session_is_closed_even_to_sql_that_nobody_checked(lake: Lake, sql: str) -> None:
    snapshot = lake.snapshot(ORDERS)
    secret = Path(lake.files(SECRET)[0].uri).name
    text = sql.format(lake=lake.uri, file=snapshot.files[0].uri, secret=secret)
    planned = plan("select * from shop.orders", LakeCatalog(lake))
    with confined(planned.inputs, lake.settings) as con:
        assert con.execute("select count(*) from shop.orders").fetchall() == [(3,)]
        with pytest.raises(duckdb.Error):
            con.execute(text).fetchall()
