"""What is wrong now: told once, with the first time, the newest reason and who is behind it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from etl_platform import Platform
from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse import Mode, Origin
from etl_platform.metastore.alert_records import IncidentRecord
from etl_platform.metastore.records import FailureRecord

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
AUDIT = '[{"rule": "ids", "status": "failed"}, {"rule": "other", "status": "passed"}]'


@pytest.fixture
def platform(settings: Settings) -> Platform:
    """Three tables, each made of the one before."""
    opened = Platform(settings)
    names = [TableName("shop", "orders"), TableName("marts", "days"), TableName("marts", "years")]
    for name, before in zip(names, [None, *names], strict=False):
        staged = opened.lake.stage(name, pl.DataFrame({"id": [1]}))
        origin = None if before is None else Origin({before: 0}, sql=f"SELECT id FROM {before.sql}")
        notes = None if origin is None else origin.annotation()
        opened.lake.publish(staged, Mode.REPLACE, annotations=notes)
    return opened


def failure(asset: str, run: str, hours: float, message: str, partition: str = "") -> FailureRecord:
    return FailureRecord(
        run_id=run,
        asset=asset,
        partition=partition,
        error_type="SourceUnavailable",
        message=message,
        signature=message,
        failed_at=NOW - timedelta(hours=hours),
    )


def test_nothing_is_wrong_where_nothing_is(platform: Platform) -> None:
    assert platform.troubles() == ()


def test_failures_are_one_trouble_from_the_first_to_the_success(platform: Platform) -> None:
    log = platform.metastore.failures
    log.add(failure("shop.orders", "first", 5, "the database is away"))
    log.add(failure("shop.orders", "second", 1, "no such column"))
    [one] = platform.troubles()
    assert (one.table, one.what, one.why, one.run_id) == (
        "shop.orders", "run failed", "no such column", "second"
    )  # fmt: skip
    assert one.since == NOW - timedelta(hours=5)
    assert one.downstream == ("marts.days", "marts.years")
    for record in log.all_open():
        log.end(record, "third", NOW, "it was mended")
    assert platform.troubles() == ()


def test_partitions_that_failed_are_counted(platform: Platform) -> None:
    for day in ("2026-01-01", "2026-01-02"):
        platform.metastore.failures.add(failure("marts.days", day, 1, "away", day))
    [one] = platform.troubles()
    assert (one.partitions, one.downstream) == (2, ("marts.years",))


def test_a_refused_batch_is_told_once_though_its_step_failed(platform: Platform) -> None:
    platform.metastore.record_audit("shop.orders", None, "run", AUDIT, lake=platform.lake.uri)
    platform.metastore.failures.add(failure("shop.orders", "run", 1, "ids are not unique"))
    [one] = platform.troubles()
    assert (one.what, one.why, one.run_id) == ("data refused", "broken: ids", "run")


def test_open_incidents_are_told_and_ended_ones_are_not(platform: Platform) -> None:
    def incident(kind: str, asset: str, hours: float, ended: datetime | None) -> IncidentRecord:
        moment = NOW - timedelta(hours=hours)
        return IncidentRecord(
            id=f"{kind} {asset}",
            alerts="alerts",
            subject=f"{kind} {asset}",
            kind=kind,
            severity="warn",
            asset=asset,
            message=f"{kind} it is",
            opened_at=moment,
            seen_at=moment,
            recovered_at=ended,
        )

    alerts = platform.metastore.alerts
    before = alerts.cursor("alerts")
    incidents = [
        incident("freshness", "marts/years", 3, None),
        incident("sla", "marts/years", 2, NOW),
        incident("stream_lag", "live/clicks", 1, None),
        # Failures and audits tell these by themselves.
        incident("run_failure", "shop/orders", 9, None),
    ]
    after = before.model_copy(update={"version": before.version + 1, "cursor": "x"})
    assert alerts.decide(before, after, incidents, [])
    assert [(one.table, one.what, one.since, one.downstream) for one in platform.troubles()] == [
        ("marts.years", "too old", NOW - timedelta(hours=3), ()),
        ("live.clicks", "stream lags", NOW - timedelta(hours=1), ()),
    ]
