"""Lineage as the tables of a lake tell it themselves."""

from __future__ import annotations

import pytest

from etl_platform import Platform
from etl_platform.core.errors import PermanentError, UnknownName
from etl_platform.core.settings import Settings
from etl_platform.planner.lineage import Edge, LineageGraph
from etl_platform.planner.lineage.tree import Branch, branches, nothing
from etl_platform_tests.planner.lineage.shop import CUSTOMERS, ORDERS, SPENT, fill, publish


@pytest.fixture
def shop(settings: Settings) -> Platform:
    platform = Platform.open(settings)
    fill(platform.lake)
    return platform


def lines(found: tuple[Branch, ...], depth: int = 0) -> list[str]:
    return [
        "  " * depth + text
        for branch in found
        for text in (
            branch.text,
            *(f"| {note}" for note in branch.notes),
            *lines(branch.below, 1),
        )
    ]


def test_a_table_is_traced_to_the_columns_of_the_databases_it_came_from(shop: Platform) -> None:
    graph = shop.lineage("marts.spent")
    assert lines(branches(graph, up=True)) == [
        "shop.customers  version 0",
        "| name",
        "  erp:public.customers  postgresql",
        "  | name",
        "shop.orders  version 1",
        "| total ← amount",
        "  erp:public.orders  postgresql",
        "  | amount",
        "shop.rates  version 0",
        "| total ← rate",
    ]
    assert lines(branches(graph, up=False)) == [
        "marts.count  version 0",
        "| no column here comes from it",
        "warehouse:spent  mariadb",
        "| who ← name",
        "| sum ← total",
    ]


def test_a_column_of_a_source_is_followed_to_what_is_made_of_it(shop: Platform) -> None:
    graph = shop.lineage("erp:public.orders.amount")
    assert lines(branches(graph, up=False)) == [
        "shop.orders.amount",
        "  marts.spent.total",
        "    warehouse:spent.sum  mariadb",
    ]
    assert nothing(graph, up=True) is None


def test_a_column_is_found_whatever_its_case_and_whatever_dots_it_has(shop: Platform) -> None:
    assert shop.lineage("shop.customers.NAME").column == "name"
    assert shop.lineage("shop/customers").table == "shop.customers"
    assert shop.lineage("shop.customers.e.mail").column == "e.mail"


def test_why_nothing_comes_from_anywhere_is_told(shop: Platform) -> None:
    assert "a count of rows" in str(nothing(shop.lineage("marts.spent.n"), up=True))
    assert "not recorded" in str(nothing(shop.lineage("shop.rates"), up=True))


def test_lineage_is_that_of_the_newest_version(shop: Platform) -> None:
    assert Edge("shop.rates", "rate", "marts.spent", "total") in shop.lineage("marts.spent").edges
    publish(shop.lake, SPENT, ["name", "total"], None)
    assert not shop.lineage("marts.spent", down=False).edges
    shop.revert("marts.spent", 0)
    assert Edge("shop.rates", "rate", "marts.spent", "total") in shop.lineage("marts.spent").edges


def test_a_table_that_was_never_materialised_is_an_error_that_says_what_to_do(
    shop: Platform,
) -> None:
    with pytest.raises(PermanentError, match="no such table") as failed:
        shop.lineage("marts.spend.total")
    assert "did you mean 'marts.spent'? a table's lineage is recorded when" in str(failed.value)
    with pytest.raises(UnknownName, match="'totel'"):
        shop.lineage("marts.spent.totel")


def test_up_down_and_depth_reach_the_walk(shop: Platform) -> None:
    def names(graph: LineageGraph) -> set[str]:
        return {node.name for node in graph.nodes} - {graph.table}

    assert names(shop.lineage("shop.orders", up=False)) == {
        "marts.spent",
        "marts.count",
        "warehouse:spent",
    }
    assert names(shop.lineage("shop.orders", up=False, depth=1)) == {"marts.spent"}
    assert names(shop.lineage("shop.orders", down=False)) == {"erp:public.orders"}
    assert {CUSTOMERS.sql, ORDERS.sql} <= names(shop.lineage("marts.count"))
