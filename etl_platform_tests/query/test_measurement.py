"""What analyzed queries tell: operators as they ran, and only totals through a policy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from etl_platform.core.errors import LimitExceeded, QueryRefused
from etl_platform.metastore import Metastore
from etl_platform.planner.policy import Limits
from etl_platform.query import QueryTool
from etl_platform.query.measurement import Measured
from etl_platform_tests.query.shop import SECRETS, build

PROBES = (
    "select count(*) from shop.customers",
    "select id from shop.customers where try_cast(score as integer) > 12",
    (
        "select c.email, sum(amount) from shop.customers c join shop.orders o on o.customer = c.id "
        "group by all"
    ),
    "with c as (from shop.customers) select a.id from c a, c b where a.name <= b.name",
    "select id from shop.orders union select born from shop.customers order by 1 limit 3",
)


@pytest.fixture(scope="module")
def metastore(tmp_path_factory: pytest.TempPathFactory) -> Metastore:
    return Metastore.open(f"sqlite:///{tmp_path_factory.mktemp('meta')}/meta.db")


@pytest.fixture(scope="module")
def tool(metastore: Metastore, tmp_path_factory: pytest.TempPathFactory) -> QueryTool:
    folder: Path = tmp_path_factory.mktemp("measured")
    return QueryTool(build(folder), metastore)


def _all(operator: Measured) -> Iterator[Measured]:
    yield operator
    for child in operator.children:
        yield from _all(child)


def test_every_operator_tells_its_rows_and_tables(tool: QueryTool) -> None:
    answer = tool.ask(
        "select c.country, sum(o.amount) as amount from shop.customers c "
        "join shop.orders o on o.customer = c.id where o.amount > 6 group by 1 order by 2",
        role="admin",
        analyze=True,
    )
    told = answer.measured
    assert told is not None
    assert told.root is not None
    assert not told.withheld
    assert told.rows == 2
    assert told.peak_bytes > 0
    assert told.read_bytes > 0
    by_kind = {one.kind: one for one in _all(told.root)}
    assert by_kind["hash_join"].rows == 3
    assert by_kind["hash_join"].tables == ("shop.customers", "shop.orders")
    scans = [one for one in _all(told.root) if one.kind == "table_scan"]
    assert {one.tables for one in scans} == {("shop.customers",), ("shop.orders",)}
    assert any("shop.orders where (amount > 6.0)" in one.detail for one in scans)


def test_an_analyzed_query_is_run_even_when_its_result_is_kept(tool: QueryTool) -> None:
    sql = "select max(amount) from shop.orders"
    assert not tool.ask(sql, role="admin").cached
    again = tool.ask(sql, role="admin", analyze=True)
    assert not again.cached
    assert again.measured is not None
    found = tool.ask(sql, role="admin")
    assert found.cached
    assert found.measured is None


@pytest.mark.parametrize("sql", PROBES)
def test_through_a_policy_only_totals_are_told(
    tool: QueryTool, metastore: Metastore, sql: str
) -> None:
    answer = tool.ask(sql, role="analyst", analyze=True)
    told = answer.measured
    assert told is not None
    assert told.root is None
    assert "shop.customers" in told.withheld
    assert told.rows == answer.result.rows
    text = json.dumps(asdict(told)).lower()
    assert not [word for word in (*SECRETS, "country", "sha256", "read_parquet") if word in text]
    past = metastore.history.newest(1)[0]
    assert (past.sql, past.role, past.status) == (sql, "analyst", "ok")


def test_a_table_that_a_role_sees_as_it_is_is_told_of(tool: QueryTool) -> None:
    told = tool.ask("select sum(amount) from shop.orders", role="analyst", analyze=True).measured
    assert told is not None
    assert told.root is not None


def test_limits_and_refusals_hold_for_analyzed_queries(
    tool: QueryTool, metastore: Metastore
) -> None:
    with pytest.raises(LimitExceeded):
        tool.ask("from shop.orders", role="tiny", analyze=True)
    with pytest.raises(LimitExceeded, match="more than 2 rows"):
        tool.ask("from shop.orders", role="admin", limits=Limits(rows=2), analyze=True)
    with pytest.raises(QueryRefused):
        tool.ask("from hr.salaries", role="analyst", analyze=True)
    assert [past.status for past in metastore.history.newest(3)] == ["refused", "failed", "failed"]
