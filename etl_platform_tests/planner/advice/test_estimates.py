"""Expected rows of operators: close to what is there, from profiles alone."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from etl_platform.planner.advice.estimates import operators
from etl_platform.planner.advice.knowledge import knowledge
from etl_platform.planner.advice.operators import Operator
from etl_platform.planner.advice.values import Values
from etl_platform.planner.catalog import LakeCatalog
from etl_platform.planner.parsing import parse
from etl_platform.planner.planning import plan
from etl_platform_tests.planner.advice.shop import build, frames

QUERIES = {
    "select id from shop.orders where customer = 7": 1.5,
    "select id from shop.orders where day >= date '2013-03-01' and day < date '2013-04-01'": 2,
    "select id from shop.orders where total between 10 and 30": 1.5,
    "select id from shop.customers where referred_by is null": 1.1,
    "select id from shop.customers where referred_by is not null and country in ('DE', 'FR')": 1.5,
    "select id from shop.orders where id = 4711": 1,
    "select id from shop.orders where not (customer < 25)": 1.5,
    "select o.id from shop.orders o join shop.customers c on c.id = o.customer": 1.1,
    "select o.id from shop.orders o, shop.lines l where l.order_id = o.id and l.line = 1": 1.5,
    "select o.id from shop.orders o, shop.customers c, shop.lines l where l.order_id = o.id "
    "and o.customer = c.id and c.country = 'DE'": 1.5,
    "select 1 from shop.orders o left join shop.customers c on c.id = o.customer + 100": 1.1,
    "select customer, sum(total) from shop.orders group by customer": 1.1,
    "select month(day), count(*) from shop.orders where customer = 7 group by 1": 2,
    "select distinct country from shop.customers": 1.1,
    "select id from shop.orders where customer in (select id from shop.customers "
    "where country = 'NL')": 1.5,
    "select id from shop.customers c where not exists (select 1 from shop.orders o "
    "where o.customer = c.id and o.total < 0)": 3,
    "with big as (select order_id, sum(price) p from shop.lines group by 1) "
    "select count(*) from big": 1,
    "select id from shop.orders union all select id from shop.customers": 1.1,
    "select id from shop.orders order by total limit 7": 1,
    "select customer from shop.visits where month = 3 and seconds < 60": 3.5,
}


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> LakeCatalog:
    return LakeCatalog(build(tmp_path_factory.mktemp("estimates")))


@pytest.fixture(scope="module")
def rows() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as con:
        con.execute("CREATE SCHEMA shop")
        for table, frame in frames().items():
            con.register("frame", frame)
            con.execute(f"CREATE TABLE {table.sql} AS FROM frame")
        yield con


def _operators(catalog: LakeCatalog, sql: str) -> Operator:
    return operators(parse(sql), knowledge(catalog, plan(sql, catalog).inputs))


@pytest.mark.parametrize(("sql", "factor"), QUERIES.items(), ids=lambda value: str(value)[:50])
def test_expected_rows_are_close_to_those_there_are(
    catalog: LakeCatalog, rows: duckdb.DuckDBPyConnection, sql: str, factor: float
) -> None:
    there = len(rows.execute(sql).fetchall())
    expected = _operators(catalog, sql).rows
    assert expected is not None
    assert max(expected, 1) <= factor * max(there, 1)
    assert max(there, 1) <= factor * max(expected, 1)


def test_a_tree_has_every_table_as_often_as_it_is_read(catalog: LakeCatalog) -> None:
    root = _operators(
        catalog,
        "with o as (from shop.orders) select a.id from o a join o b on a.id = b.customer "
        "where a.id not in (select order_id from shop.lines)",
    )
    assert root.tables == ("shop.lines", "shop.orders", "shop.orders")
    assert root.kind == "anti join"
    assert [step.rows for step in root.walk() if step.kind == "scan"] == [400, 400, 2000]


def test_what_only_duckdb_can_resolve_is_told_by_its_tables(catalog: LakeCatalog) -> None:
    root = _operators(catalog, "select columns('i.*') from shop.orders")
    assert (root.kind, root.rows) in {("query", None), ("scan", 400)}
    recursive = (
        "with recursive r as (select 1 as n union all select n + 1 from r where n < 5) from r"
    )
    assert _operators(catalog, recursive).rows is None


def test_fewer_rows_have_fewer_values_as_cardenas_expects() -> None:
    values = Values(distinct=100)
    assert values.among(1000, 1000).distinct == 100
    left = values.among(100, 1000).distinct
    assert left is not None
    assert 60 < left < 70  # 100 * (1 - 0.9 ** 10)
