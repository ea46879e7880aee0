"""The status of a table tells first what a person must know first."""

from __future__ import annotations

import json
from datetime import timedelta

import polars as pl
import pytest

from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse import Lake
from etl_platform.metastore import Metastore
from etl_platform.monitoring.status import State, TableStatus, table_statuses

ORDERS = TableName("shop", "orders")


@pytest.fixture
def lake(settings: Settings) -> Lake:
    return Lake(settings=settings)


@pytest.fixture
def records(settings: Settings) -> Metastore:
    return Metastore.open(settings.metastore_url)


def publish(lake: Lake, table: TableName, rows: int) -> None:
    lake.publish(lake.stage(table, pl.DataFrame({"id": list(range(rows))})))


def audit(records: Metastore, lake: Lake, version: int | None, *statuses: str) -> None:
    outcomes = [{"rule": f"rule_{n}", "status": status} for n, status in enumerate(statuses)]
    records.record_audit("shop.orders", version, "run", json.dumps(outcomes), lake=lake.uri)


def only(lake: Lake, records: Metastore) -> TableStatus:
    [found] = table_statuses(lake, records)
    return found


def test_nothing_published_is_nothing_to_show(lake: Lake, records: Metastore) -> None:
    assert table_statuses(lake, records) == ()


def test_a_table_shows_the_version_that_readers_see(lake: Lake, records: Metastore) -> None:
    publish(lake, ORDERS, 3)
    publish(lake, ORDERS, 5)
    found = only(lake, records)
    assert (found.table, found.version, found.rows) == ("shop.orders", 1, 5)
    assert found.size_bytes is not None
    assert found.size_bytes > 0
    assert found.state is State.UNAUDITED


def test_age_counts_from_the_publication(lake: Lake, records: Metastore) -> None:
    publish(lake, ORDERS, 1)
    published = lake.info(ORDERS).updated_at
    later, earlier = published + timedelta(hours=2), published - timedelta(hours=2)
    assert [s.age_s for s in table_statuses(lake, records, later)] == [7200.0]
    # Clocks of writers and readers differ: nothing is published in the future.
    assert [s.age_s for s in table_statuses(lake, records, earlier)] == [0.0]


@pytest.mark.parametrize(
    ("statuses", "state"),
    [
        (("passed", "passed"), State.PASSED),
        (("passed", "failed"), State.WARNED),
        (("passed", "not_run"), State.WARNED),
        ((), State.UNAUDITED),
    ],
)
def test_the_state_of_a_published_table_is_that_of_its_rules(
    lake: Lake, records: Metastore, statuses: tuple[str, ...], state: State
) -> None:
    publish(lake, ORDERS, 1)
    audit(records, lake, 0, *statuses)
    assert only(lake, records).state is state


def test_a_rule_that_did_not_run_is_not_counted_as_passed(lake: Lake, records: Metastore) -> None:
    publish(lake, ORDERS, 1)
    audit(records, lake, 0, "passed", "failed", "not_run")
    summary = only(lake, records).audit
    assert summary is not None
    assert (summary.passed, summary.failed, summary.not_run) == (1, 1, 1)


def test_a_refused_batch_shows_beside_the_version_that_is_still_served(
    lake: Lake, records: Metastore
) -> None:
    publish(lake, ORDERS, 3)
    audit(records, lake, 0, "passed")
    audit(records, lake, None, "failed")
    found = only(lake, records)
    assert (found.state, found.version, found.rows) == (State.REFUSED, 0, 3)


def test_a_table_whose_first_batch_was_refused_is_not_forgotten(
    lake: Lake, records: Metastore
) -> None:
    audit(records, lake, None, "failed")
    found = only(lake, records)
    assert (found.table, found.state, found.version, found.age_s) == (
        "shop.orders",
        State.REFUSED,
        None,
        None,
    )


def test_quarantined_rows_stand_on_the_line_of_their_table(lake: Lake, records: Metastore) -> None:
    publish(lake, ORDERS, 3)
    publish(lake, ORDERS.quarantine, 2)
    assert only(lake, records).quarantined_rows == 2


def test_audits_of_another_lake_do_not_count(lake: Lake, records: Metastore) -> None:
    publish(lake, ORDERS, 1)
    records.record_audit("shop.orders", None, "run", "[]", lake="/elsewhere")
    assert only(lake, records).state is State.UNAUDITED
