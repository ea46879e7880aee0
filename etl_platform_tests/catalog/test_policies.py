"""What a role finds is what it may query."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest

from etl_platform import Platform
from etl_platform.catalog import Filters
from etl_platform.core.errors import QueryRefused
from etl_platform.core.names import TableName
from etl_platform.metastore.records import FailureRecord
from etl_platform_tests.catalog.guarded import guarded

POLICIES = """
roles:
  clerk:
    tables:
      shop.orders: {hide: [margin]}
      shop.customers: {masks: {status: redact}}
  boss: {tables: {"*": {}}}
"""


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    made = guarded(tmp_path_factory.mktemp("lake"), POLICIES)
    for table, frame in {
        "shop.orders": pl.DataFrame({"price": [1.0], "margin": [0.5]}),
        "shop.customers": pl.DataFrame({"status": ["insolvent"]}),
        "hr.staff": pl.DataFrame({"surname": ["Ho"]}),
    }.items():
        made.lake.publish(made.lake.stage(TableName.parse(table), frame.lazy()))
    made.saved_queries.save("late", "SELECT surname FROM hr.staff")
    for asset, run in {"shop.orders": "r1", "shop.customers": "r2"}.items():
        made.metastore.failures.add(
            FailureRecord(
                run_id=run, asset=asset, error_type="E", message=f"{run} is late", signature=run,
                circumstances='{"inputs": {"hr.staff": 3}}' if run == "r1" else "{}",
            )
        )  # fmt: skip
    made.index()
    return made


@pytest.mark.parametrize(
    ("role", "names"),
    [
        (
            "clerk",
            {"shop.orders", "shop.orders.price", "shop.customers", "shop.customers.status"},
        ),
        (
            "boss",
            {"shop.orders", "shop.orders.price", "shop.orders.margin", "shop.customers"}
            | {"shop.customers.status", "hr.staff", "hr.staff.surname", "late"}
            | {"shop.orders:r1", "shop.customers:r2"},
        ),
    ],
)
def test_a_role_finds_what_it_may_query(platform: Platform, role: str, names: set[str]) -> None:
    found = platform.search("margin of insolvent staff by surname", 50, role=role)
    assert {hit.name for hit in found} == names


def test_what_a_role_does_not_see_whole_is_in_no_text(platform: Platform) -> None:
    found = platform.search("insolvent margin", 50, role="clerk")
    assert [hit for hit in found if "insolvent" in hit.text or "margin" in hit.text] == []


def test_nobody_searches_without_a_role_where_there_are_policies(platform: Platform) -> None:
    with pytest.raises(QueryRefused, match="by role"):
        platform.search("margin")


def test_a_failure_is_found_once_by_its_words_and_says_what_ended_it(platform: Platform) -> None:
    def failed(run: str, number: int) -> FailureRecord:
        return FailureRecord(
            run_id=run,
            asset="hr.staff",
            error_type="TransientError",
            message=f"no answer from the payroll after {number} s",
            signature="no answer from the payroll after s",
        )

    memory = platform.metastore.failures
    for record in (failed("a", 3), failed("b", 5)):
        memory.add(record)
    memory.end(failed("b", 5), "c", datetime.now(UTC), "the library was newer")
    platform.index(["hr.staff"])
    only = Filters(kinds=("failure",), schemas=("hr",))
    (found,) = platform.search("payroll does not answer", filters=only, role="boss")
    assert found.name == "hr.staff:b"
    assert "after 5 s" in found.text
    assert "ended by: the library was newer" in found.text
    again = platform.index(["hr.staff"])
    assert (again.added, again.changed, again.removed) == (0, 0, 0)
