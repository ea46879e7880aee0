"""What is old goes, and how things stand stays: runs, events, logs, incidents and notices."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test
from typer.testing import CliRunner

from etl_platform.cli.app import app
from etl_platform.core.settings import Settings
from etl_platform.metastore import Metastore
from etl_platform.metastore.alert_records import (
    AlertCursorRecord,
    IncidentRecord,
    NoticeRecord,
    NoticeState,
)
from etl_platform.pruning import prune

DAYS = dg.StaticPartitionsDefinition(["monday", "tuesday"])
LONG_AGO = datetime(2024, 3, 1, 6, tzinfo=UTC)


@dg.asset(partitions_def=DAYS)
def sales() -> None: ...


@dg.asset
def orders() -> None:
    if "fail" in dg.AssetExecutionContext.get().run.tags:
        raise ValueError("the disk is full")


@dg.asset_check(asset=orders)
def judged() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


def made(
    instance: dg.DagsterInstance, *, day: str | None = None, fail: bool = False, check: bool = False
) -> str:
    assets = [sales] if day else [orders, judged] if check else [orders]
    tags = {"fail": ""} if fail else {}
    done = dg.materialize(
        assets, instance=instance, partition_key=day, tags=tags, raise_on_error=False
    )
    return done.run_id


def runs(instance: dg.DagsterInstance) -> set[str]:
    return {run.run_id for run in instance.get_runs()}


@pytest.fixture
def metastore(settings: Settings) -> Metastore:
    return Metastore.open(settings.metastore_url)


def test_runs_go_that_hold_no_newest_state_of_an_asset_partition_or_check(
    stored_instance: dg.DagsterInstance, metastore: Metastore
) -> None:
    instance = stored_instance
    under_way = create_run_for_test(instance, status=dg.DagsterRunStatus.STARTED).run_id
    monday, tuesday = made(instance, day="monday"), made(instance, day="tuesday")
    checked, plain = made(instance, check=True), made(instance)
    newest_good, failed = made(instance), made(instance, fail=True)
    again = made(instance, day="monday")
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    home = Path(instance.root_directory)
    before = {one: list(home.rglob(f"{one}*")) for one in (monday, plain)}
    assert all(before.values())

    assert prune(instance, metastore, LONG_AGO).runs == 0
    planned = prune(instance, metastore, tomorrow, dry_run=True)
    assert (planned.runs, planned.runs_kept) == (2, 5)
    assert len(runs(instance)) == 8

    assert prune(instance, metastore, tomorrow) == planned
    assert runs(instance) == {under_way, tuesday, checked, newest_good, failed, again}
    assert [path for paths in before.values() for path in paths if path.exists()] == []
    newest = instance.get_latest_materialization_event(dg.AssetKey("orders"))
    assert newest is not None
    assert newest.run_id == newest_good
    assert instance.get_materialized_partitions(dg.AssetKey("sales")) == {"monday", "tuesday"}
    assert prune(instance, metastore, tomorrow).runs == 0


def notice(name: str, state: NoticeState) -> NoticeRecord:
    return NoticeRecord(
        id=name,
        alerts="a",
        channel="mail",
        items="[]",
        state=state,
        created_at=LONG_AGO,
        due_at=LONG_AGO,
    )


def incident(name: str, subject: str, hour: int, *, over: bool = True) -> IncidentRecord:
    at = LONG_AGO + timedelta(hours=hour)
    return IncidentRecord(
        id=name,
        alerts="a",
        subject=subject,
        kind="run_failure",
        severity="error",
        message="broken",
        opened_at=at,
        seen_at=at,
        recovered_at=at + timedelta(minutes=1) if over else None,
    )


def test_alerts_go_but_for_what_is_open_waits_or_is_the_newest_of_its_subject(
    stored_instance: dg.DagsterInstance, metastore: Metastore
) -> None:
    incidents = [
        incident("first", "orders", 0),
        incident("second", "orders", 1),
        incident("open", "sales", 1, over=False),
        incident("before", "sales", 0),
    ]
    cursor = AlertCursorRecord(alerts="a")
    notices = [notice("sent", "sent"), notice("given up", "given_up"), notice("due", "waiting")]
    assert metastore.alerts.decide(cursor, cursor, incidents, notices)
    done = prune(stored_instance, metastore, LONG_AGO + timedelta(days=1))
    assert (done.incidents, done.notices) == (2, 2)
    left = metastore.alerts.incidents(still_open=False)
    assert {one.id for one in left} == {"second", "open"}
    assert [one.id for one in metastore.alerts.notices()] == ["due"]


def test_the_command_removes_only_when_that_is_said(
    stored_instance: dg.DagsterInstance, settings: Settings
) -> None:
    old, new = made(stored_instance), made(stored_instance)
    planned = CliRunner().invoke(app, ["prune", "--older-than", "0"])
    assert "1 runs, 0 incidents and 0 notices" in planned.stdout
    assert "would be removed, with --yes" in planned.stdout
    assert runs(stored_instance) == {old, new}
    CliRunner().invoke(app, ["prune", "--older-than", "0", "--yes"], catch_exceptions=False)
    assert runs(stored_instance) == {new}
