"""The commands of Dagster on this repository's own definitions, in a copy of the project."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

# Time is moved by moving the moment since which a schedule runs: there is no public way to do so.
from dagster._core.scheduler.instigation import ScheduleInstigatorData, TickStatus

from etl_platform.demo import bucket, fleet
from etl_platform.demo.weather import serving
from etl_platform_tests.demo.working_copy import WorkingCopy
from etl_platform_tests.forked_commands import forking

MODULE = ("-m", "etl_platform.definitions")
WORKSPACE = ("-w", "workspace.yaml")
IN_PROCESS = {"execution": {"config": {"in_process": {}}}}
SOURCES = {"nyc.airlines", "nyc.airports", "nyc.flights", "nyc.planes", "nyc.weather"}
STREAMS = {"live.departures", "live.delays", "live.delays__partials"}
ASSETS = SOURCES | {
    "fleet.airports",
    "fleet.planes",
    "nyc.diversions",
    "weather.observations",
    "weather.stations",
    "marts.aircraft_delays",
    "marts.carrier_performance",
    "marts.daily_operations",
    "marts.delay_causes",
    "marts.fleet_age",
    "marts.flight_delays",
    "marts.route_performance",
    "marts.weather_impact",
    "marts.worst_days",
}
SCHEDULE = "nyc_refresh_schedule"
CRON = "0 6 * * *"
TIMEZONE = ZoneInfo("America/New_York")
_POLL_S = 0.5
_TICK_TIMEOUT_S = 180


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkingCopy]:
    """The project with a repaired source that has been asked for its tables."""
    made = WorkingCopy.make(tmp_path_factory.mktemp("commands"))
    made.fill_database()
    with forking(made.environment) as commands:
        copied = replace(made, commands=commands)
        copied.run("dg", "utils", "refresh-defs-state")
        yield copied


@pytest.fixture
def instance(copy: WorkingCopy, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    monkeypatch.setenv("DAGSTER_HOME", str(copy.home))
    with dg.DagsterInstance.get() as found:
        yield found


def published(copy: WorkingCopy) -> dict[str, int]:
    """The version of each table, without those of what is kept aside."""
    tables = copy.platform().tables()
    aside = ("__quarantine", "__bad_files")
    return {t.name.sql: t.version for t in tables if not t.name.sql.endswith(aside)}


def test_yaml_components_and_definitions_are_found_valid(copy: WorkingCopy) -> None:
    assert "validated successfully" in copy.run("dg", "check", "yaml")
    listed = json.loads(copy.run("dg", "list", "components", "--json"))
    names = {entry["key"] for entry in listed["items"]}
    sinks = {"DatabaseSink", "FileSink"}
    kinds = {"ApiSource", "DatabaseSource", "FileSource", "SqlModels", "StreamSource"} | sinks
    assert {f"etl_platform.{kind}Component" for kind in kinds} <= names
    validated = copy.run("dagster", "definitions", "validate", *WORKSPACE)
    assert "All code locations passed validation" in validated


def test_every_asset_is_listed(copy: WorkingCopy) -> None:
    listed = copy.run("dagster", "asset", "list", *MODULE)
    found = {line.replace("/", ".") for line in listed.split() if "/" in line}
    assert found == ASSETS | STREAMS


@pytest.mark.stress  # every day the demo does the same
def test_all_assets_are_materialised_by_one_command(
    copy: WorkingCopy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But those of a stream: Dagster asks for the partition of an asset that has any."""
    before = published(copy)
    with serving() as weather, bucket.serving(copy.root / "bucket.log") as place:
        told = {"WEATHER_API": weather.url, "WEATHER_SECRET": weather.secret, **place.variables}
        for name, value in told.items():
            monkeypatch.setenv(name, value)
        assert len(list(fleet.deliver(bucket.store()))) == 7
        copy.run(
            *("dagster", "asset", "materialize", "--select", 'not group:"live"', *MODULE),
            *("--config-json", json.dumps(IN_PROCESS)),
        )
    # Its limits were kept, tokens that expired were renewed, and no page was asked for twice.
    assert set(weather.pages.values()) == {1}
    after = published(copy)
    assert set(after) == ASSETS
    assert all(version > before.get(table, -1) for table, version in after.items())


def test_a_job_is_executed_by_command(copy: WorkingCopy, instance: dg.DagsterInstance) -> None:
    before = published(copy)
    config = copy.root / "in_process.yaml"
    config.write_text(json.dumps(IN_PROCESS))
    copy.run("dagster", "job", "execute", "-j", "nyc_refresh", "-c", str(config), *MODULE)
    (run,) = instance.get_runs(dg.RunsFilter(job_name="nyc_refresh"), limit=1)
    assert run.status is dg.DagsterRunStatus.SUCCESS
    after = published(copy)
    assert all(after[table] > before.get(table, -1) for table in SOURCES)


@pytest.mark.stress
def test_the_daemon_makes_up_for_the_tick_that_it_slept_through(
    copy: WorkingCopy, instance: dg.DagsterInstance
) -> None:
    # A schedule that its definition starts has no state of its own before it was stopped once.
    for action in ("stop", "start"):
        copy.run("dagster", "schedule", action, SCHEDULE, *WORKSPACE)
    (state,) = [s for s in instance.all_instigator_state() if s.instigator_name == SCHEDULE]
    since = (datetime.now(UTC) - timedelta(hours=36)).timestamp()
    instance.update_instigator_state(state.with_data(ScheduleInstigatorData(CRON, since)))

    with copy.serving("dagster-daemon", "run", *WORKSPACE):
        run = eventually(lambda: finished(instance))

    assert run.status is dg.DagsterRunStatus.SUCCESS, run
    ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id)
    (tick,) = [tick for tick in ticks if run.run_id in tick.run_ids]
    assert tick.status is TickStatus.SUCCESS
    assert datetime.fromtimestamp(tick.timestamp, TIMEZONE).strftime("%H:%M") == "06:00"
    steps = {step.step_key for step in instance.get_run_step_stats(run.run_id)}
    assert steps == {name.replace(".", "__") for name in SOURCES | {"nyc.diversions"}}


def finished(instance: dg.DagsterInstance) -> dg.DagsterRun | None:
    """The run of the schedule's tick, once it has ended."""
    runs = instance.get_runs(dg.RunsFilter(tags={"dagster/schedule_name": SCHEDULE}))
    return next((run for run in runs if run.is_finished), None)


def eventually(found: Callable[[], dg.DagsterRun | None]) -> dg.DagsterRun:
    deadline = time.monotonic() + _TICK_TIMEOUT_S
    while (run := found()) is None:
        assert time.monotonic() < deadline, "the schedule's run has not ended"
        time.sleep(_POLL_S)
    return run
