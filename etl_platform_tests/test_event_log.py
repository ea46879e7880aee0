"""The event log whose connections stay open: the same files, for everybody who looks at them."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import dagster as dg
import pytest
from dagster._core.storage.event_log.sqlite import SqliteEventLogStorage

from etl_platform.event_log import EventLog

PROJECT = Path(__file__).parent.parent


@dg.asset
def answer() -> int:
    return 42


@dg.asset
def another() -> int:
    return 43


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    shutil.copy2(PROJECT / "dagster.yaml", folder)
    monkeypatch.setenv("DAGSTER_HOME", str(folder))
    return folder


@pytest.fixture
def instance(home: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.get() as opened:
        yield opened


def events(log: SqliteEventLogStorage, run_id: str) -> list[str | None]:
    return [
        one.event_log_entry.dagster_event_type and one.event_log_entry.dagster_event_type.value
        for one in log.get_records_for_run(run_id, limit=1_000).records
    ]


def of(instance: dg.DagsterInstance) -> EventLog:
    log = instance.event_log_storage
    assert isinstance(log, EventLog)
    return log


def test_dagsters_own_storage_reads_what_was_written_while_the_files_are_open(
    instance: dg.DagsterInstance,
) -> None:
    run = dg.materialize([answer], instance=instance).run_id
    log = of(instance)
    plain = SqliteEventLogStorage(log._base_dir)
    assert events(plain, run) == events(log, run)
    assert "ASSET_MATERIALIZATION" in events(plain, run)
    assert plain.has_asset_key(answer.key)


def test_whoever_watches_a_run_is_told_of_each_event(instance: dg.DagsterInstance) -> None:
    # Dagster's UI sees a run go on by watching its file; commits that wait in the log ahead of the
    # file do not change it.
    log, seen, ended = of(instance), [], Event()
    watcher = SqliteEventLogStorage(log._base_dir)
    run = instance.create_run_for_job(
        dg.define_asset_job("a").resolve(asset_graph=dg.Definitions([answer]).resolve_asset_graph())
    )

    def tell(entry: dg.EventLogEntry, _: str) -> None:
        seen.append(entry.message)
        if entry.message == "second":
            ended.set()

    log.get_records_for_run(run.run_id)
    watcher.watch(run.run_id, None, tell)
    try:
        for message in ("first", "second"):
            instance.report_engine_event(message, run)
            until = time.monotonic() + 10
            while message not in seen and time.monotonic() < until:
                time.sleep(0.01)
            assert message in seen
    finally:
        watcher.dispose()


def test_a_log_that_another_process_deleted_is_made_anew(
    instance: dg.DagsterInstance, home: Path
) -> None:
    run = dg.materialize([answer], instance=instance).run_id
    log = of(instance)
    assert events(log, run)
    for file in Path(log._base_dir).glob(f"{run}.db*"):
        file.unlink()
    assert events(log, run) == []
    instance.report_engine_event("after", instance.get_run_by_id(run))
    assert events(SqliteEventLogStorage(log._base_dir), run)


def test_a_wiped_log_is_empty_and_goes_on(instance: dg.DagsterInstance) -> None:
    run = dg.materialize([answer], instance=instance).run_id
    of(instance).wipe()
    assert events(of(instance), run) == []
    assert instance.get_latest_materialization_event(answer.key) is None
    again = dg.materialize([answer], instance=instance).run_id
    assert "ASSET_MATERIALIZATION" in events(of(instance), again)


def test_only_some_files_stay_open(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etl_platform.event_log._FILES", 2)
    runs = [dg.materialize([answer], instance=instance).run_id for _ in range(4)]
    log = of(instance)
    assert len(log._open) == 2
    assert all("PIPELINE_SUCCESS" in events(log, run) for run in runs)


def test_processes_write_and_read_side_by_side(instance: dg.DagsterInstance, home: Path) -> None:
    code = (
        "import dagster as dg\n"
        "from etl_platform_tests.test_event_log import another\n"
        "with dg.DagsterInstance.get() as instance:\n"
        "    for _ in range(5): assert dg.materialize([another], instance=instance).success\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=PROJECT)
    for _ in range(5):
        assert dg.materialize([answer], instance=instance).success
    assert process.wait(60) == 0
    assert {run.status for run in instance.get_runs()} == {dg.DagsterRunStatus.SUCCESS}
    for key in (answer.key, another.key):
        found = instance.fetch_materializations(key, limit=100).records
        assert len(found) == 5


def test_a_killed_process_leaves_what_it_stored(instance: dg.DagsterInstance, home: Path) -> None:
    code = (
        "import dagster as dg, os, signal\n"
        "from etl_platform_tests.test_event_log import another\n"
        "instance = dg.DagsterInstance.get()\n"
        "dg.materialize([another], instance=instance)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=False).returncode == -9
    assert instance.get_latest_materialization_event(another.key) is not None
    [run] = instance.get_runs()
    assert "PIPELINE_SUCCESS" in events(of(instance), run.run_id)
