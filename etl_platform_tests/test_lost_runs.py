"""A run whose process is gone is seen by Dagster's run monitoring, and ended."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.events import EngineEventData
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget
from dagster._daemon.monitoring.run_monitoring import execute_run_monitoring_iteration

from etl_platform.lost_runs import end_lost_run, lost_runs
from etl_platform.run_launcher import LocalRunLauncher

PROJECT = Path(__file__).parent.parent
OVER_THERE = {".dagster/grpc_info": '{"host": "code.example", "port": 4000}'}


@pytest.fixture
def instance(empty_home: Path, tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance in files with the launcher and the monitoring of the project's dagster.yaml."""
    said = yaml.safe_load((PROJECT / "dagster.yaml").read_text())
    overrides = {name: said[name] for name in ("run_launcher", "run_monitoring")}
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides=overrides) as made:
        yield made


@pytest.fixture(scope="module")
def gone() -> int:
    """The number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def under_way(
    instance: dg.DagsterInstance,
    process: int | None,
    status: dg.DagsterRunStatus = dg.DagsterRunStatus.STARTED,
    tags: dict[str, str] | None = None,
) -> str:
    run = dg.DagsterRun(job_name="nightly", status=status, tags=tags or {})
    instance.run_storage.add_run(run)
    if process is not None:
        about = EngineEventData.in_process(process)
        instance.report_engine_event("Executing steps in process", run, about)
    return run.run_id


def status(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    found = instance.get_run_by_id(run_id)
    assert found is not None
    return found.status


def test_run_monitoring_ends_a_run_whose_process_is_gone_and_no_other(
    instance: dg.DagsterInstance, gone: int
) -> None:
    assert isinstance(instance.run_launcher, LocalRunLauncher)
    lost = under_way(instance, gone)
    others = [
        under_way(instance, os.getpid()),
        under_way(instance, None),
        under_way(instance, gone, tags=OVER_THERE),
    ]
    assert [(one.run_id, one.process) for one in lost_runs(instance)] == [(lost, gone)]
    with WorkspaceProcessContext(instance, EmptyWorkspaceTarget()) as workspace:
        errors = list(execute_run_monitoring_iteration(workspace, logging.getLogger("test")))
    assert not [error for error in errors if error]
    assert status(instance, lost) is dg.DagsterRunStatus.FAILURE
    told = " ".join(entry.message or "" for entry in instance.all_logs(lost))
    assert f"its process ({gone}) is gone; etl resume {lost} runs what is left" in told
    assert {status(instance, run_id) for run_id in others} == {dg.DagsterRunStatus.STARTED}
    assert not lost_runs(instance)


def test_a_run_that_was_being_cancelled_ends_as_cancelled(
    instance: dg.DagsterInstance, gone: int
) -> None:
    run_id = under_way(instance, gone, dg.DagsterRunStatus.CANCELING)
    run = instance.get_run_by_id(run_id)
    assert run is not None
    end_lost_run(instance, run, gone)
    assert status(instance, run_id) is dg.DagsterRunStatus.CANCELED
