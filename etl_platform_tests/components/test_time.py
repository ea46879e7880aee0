"""What the documentation says of clocks: changes of time, leap days, ticks skipped and doubled."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.test_utils import (
    InProcessTestWorkspaceLoadTarget,
    create_test_daemon_workspace_context,
    freeze_time,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._scheduler.scheduler import launch_scheduled_runs
from dagster._utils.schedules import schedule_execution_time_iterator

from etl_platform.components.schedules import _due
from etl_platform.components.timing import Schedule, TimePartition
from etl_platform_tests.components.conftest import Project, Shop
from etl_platform_tests.components.test_database_source import failures, source

MODULE = """
import dagster as dg

from etl_platform.components.assets import TableAsset, build_asset
from etl_platform.components.options import AssetOptions
from etl_platform.components.schedules import build_jobs
from etl_platform.components.timing import Schedule, TimePartition
from etl_platform.core.names import TableName
from etl_platform.publishing.failures import Retries
from etl_platform.quality import Contract
from etl_platform.resources import LakeResource

DAYS = TimePartition(column="at", cadence="daily", start="2025-10-20", timezone="Europe/Berlin")


def table(name, partitions=None):
    return TableAsset(
        TableName("shop", name), AssetOptions(), Contract(), iter, frozenset(), Retries(),
        partitions=partitions,
    )


tables = [table("whole"), table("days", DAYS.definition())]
jobs, schedules = build_jobs("shop", tables, Schedule(cron="30 2 * * *", timezone="Europe/Berlin"))
defs = dg.Definitions(
    assets=[build_asset(one) for one in tables],
    jobs=jobs,
    schedules=schedules,
    resources={"lake": LakeResource()},
)
"""
Looking = Callable[[str], list[tuple[str, str | None]]]


@pytest.mark.parametrize(
    ("cron", "timezone", "since", "expected"),
    [
        # 02:30 is not there: at once when the clock has jumped. Twice there: the second one.
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2025-03-29T12:00",
            ["2025-03-30T03:00+02:00", "2025-03-31T02:30+02:00"],
        ),
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2025-10-25T12:00",
            ["2025-10-26T02:30+01:00", "2025-10-27T02:30+01:00"],
        ),
        (
            "30 1 * * *",
            "America/New_York",
            "2025-11-01T12:00",
            ["2025-11-02T01:30-05:00", "2025-11-03T01:30-05:00"],
        ),
        # A change by half an hour.
        (
            "15 2 * * *",
            "Australia/Lord_Howe",
            "2025-10-04T12:00",
            ["2025-10-05T02:30+11:00", "2025-10-06T02:15+11:00"],
        ),
        # Every hour that passes has its tick, also the one that the clock shows twice.
        (
            "0 * * * *",
            "Europe/Berlin",
            "2025-10-26T01:30",
            ["2025-10-26T02:00+02:00", "2025-10-26T02:00+01:00", "2025-10-26T03:00+01:00"],
        ),
        (
            "0 * * * *",
            "Europe/Berlin",
            "2025-03-30T01:30",
            ["2025-03-30T03:00+02:00", "2025-03-30T04:00+02:00"],
        ),
        ("0 0 29 2 *", "UTC", "2025-01-01T00:00", ["2028-02-29T00:00+00:00"]),
        ("0 3 31 * *", "UTC", "2025-02-01T00:00", ["2025-03-31T03:00+00:00"]),
    ],
)
def test_ticks_of_a_clock_that_changes(
    cron: str, timezone: str, since: str, expected: list[str]
) -> None:
    schedule = Schedule(cron=cron, timezone=timezone)
    begin = datetime.fromisoformat(since).replace(tzinfo=ZoneInfo(timezone)).timestamp()
    ticks = schedule_execution_time_iterator(begin, schedule.cron, schedule.timezone)
    found = [tick.isoformat(timespec="minutes") for tick in islice(ticks, len(expected))]
    assert found == expected


@pytest.fixture
def look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dagster_once: None) -> Iterator[Looking]:
    """``look(moment)``: the scheduler looks then (UTC); the runs that were requested so far."""
    (tmp_path / "timed_jobs.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    origin = LoadableTargetOrigin(
        executable_path=sys.executable, module_name="timed_jobs", working_directory=str(tmp_path)
    )
    target = InProcessTestWorkspaceLoadTarget(
        InProcessCodeLocationOrigin(origin, location_name="timed")
    )
    iterations: dict[str, object] = {}
    with (
        dg.DagsterInstance.local_temp(str(tmp_path)) as instance,
        create_test_daemon_workspace_context(target, instance) as context,
    ):

        def looked(moment: str) -> list[tuple[str, str | None]]:
            now = datetime.fromisoformat(moment).replace(tzinfo=UTC)
            with freeze_time(now):
                list(launch_scheduled_runs(context, logging.getLogger(__name__), now, iterations))
            runs = instance.get_runs()
            for run in runs:
                if (key := run.tags.get("dagster/partition")) and run.status.value == "QUEUED":
                    made = dg.AssetMaterialization(["shop", "days"], partition=key)
                    instance.report_runless_asset_event(made)
            return sorted((run.job_name, run.tags.get("dagster/partition")) for run in runs)

        yield looked


def test_ticks_that_were_skipped_are_made_up_for_and_none_is_doubled(look: Looking) -> None:
    assert look("2025-10-25T12:00") == []  # the schedule begins
    first = [("shop_refresh", None), ("shop_refresh_1", "2025-10-25")]
    assert look("2025-10-26T01:45") == first
    assert look("2025-10-26T01:45") == first  # again at once, as after a restart
    assert look("2025-10-26T01:20") == first  # the clock went back
    # The daemon slept for four nights: whole tables are made once, each day that is missing once.
    days = [("shop_refresh_1", f"2025-10-{day}") for day in range(25, 30)]
    assert look("2025-10-30T12:00") == [("shop_refresh", None)] * 2 + days


def test_a_clock_that_jumps_by_a_year_requests_no_more_than_a_hundred_days(
    memory_instance: dg.DagsterInstance,
) -> None:
    days = [f"{datetime(2025, 1, 1) + timedelta(days=n):%Y-%m-%d}" for n in range(400)]
    made = dg.AssetMaterialization("days", partition=days[20])
    memory_instance.report_runless_asset_event(made)
    assert _due(memory_instance, [dg.AssetKey("days")], days[:21]) == [days[20]]
    assert _due(memory_instance, [dg.AssetKey("days")], days[:25]) == days[21:25]
    assert _due(memory_instance, [dg.AssetKey("days")], days) == days[300:]
    assert _due(memory_instance, [dg.AssetKey("new")], days) == days[-1:]


@pytest.mark.parametrize(
    ("timezone", "days", "hours"),
    [
        ("Europe/Berlin", ["2025-10-25", "2025-10-26", "2025-10-27"], [24, 25, 24]),
        ("Europe/Berlin", ["2025-03-29", "2025-03-30", "2025-03-31"], [24, 23, 24]),
        ("UTC", ["2024-02-28", "2024-02-29", "2024-03-01"], [24, 24, 24]),
    ],
)
def test_a_day_holds_every_hour_that_it_has_and_none_of_another(
    project: Project, shop: Shop, timezone: str, days: list[str], hours: list[int]
) -> None:
    begin = datetime.fromisoformat(days[0]).replace(tzinfo=ZoneInfo(timezone)).astimezone(UTC)
    shop.execute("DELETE FROM orders")
    for number in range(sum(hours)):
        # Without an offset a column holds what the clocks of the partition's zone showed.
        shown = (begin + timedelta(hours=number)).astimezone(ZoneInfo(timezone))
        moment = shown.strftime("%Y-%m-%d %H:%M:%S")
        shop.execute(f"INSERT INTO orders VALUES ({number}, 1, 1, '{moment}')")
    partition = {"column": "placed_at", "cadence": "daily", "start": days[0], "timezone": timezone}
    project.write("shop/defs.yaml", source(tables={"orders": {"partition": partition}}))
    project.refresh()
    for day in days:
        result = project.materialize("shop/orders", partition=day)
        assert result.success, failures(result)
    found = project.rows("shop.orders")
    assert len(found) == sum(hours)
    windows = TimePartition.model_validate(partition).definition()
    spans = [windows.time_window_for_partition_key(day) for day in days]
    assert [(one.end.timestamp() - one.start.timestamp()) / 3600 for one in spans] == hours
