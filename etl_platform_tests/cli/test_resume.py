"""``etl resume``: only what a run left undone is run, and nothing twice."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import EngineEventData
from dagster._core.execution.api import execute_run
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._core.execution.plan.resume_retry import ReexecutionStrategy
from dagster._core.origin import JobPythonOrigin
from dagster._core.test_utils import in_process_test_workspace
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._utils.hosted_user_process import recon_job_from_origin
from typer.testing import CliRunner, Result

from etl_platform.cli.app import app
from etl_platform.core.errors import ConfigError, UnknownName

DEFINITIONS = """
from pathlib import Path
import dagster as dg

FOLDER = Path({folder!r})


def begin(name):
    with (FOLDER / "begun").open("a") as file:
        file.write(name + " ")


@dg.asset
def first():
    begin("first")


@dg.asset(deps=[first])
def broken():
    begin("broken")
    if not (FOLDER / "repaired").exists():
        raise ValueError("the disk is full")


@dg.asset(deps=[broken])
def last():
    begin("last")


@dg.asset_check(asset=first, name="judged")
def judged():
    begin("judged")
    if not (FOLDER / "judgeable").exists():
        raise ValueError("the judge is away")
    return dg.AssetCheckResult(passed=True)


@dg.asset_check(asset=last, name="sound", blocking=True)
def sound():
    begin("sound")
    return dg.AssetCheckResult(passed=(FOLDER / "sound").exists())


CHECKS = [judged, sound] if (FOLDER / "checked").exists() else []
defs = dg.Definitions(assets=[first, broken, last], asset_checks=CHECKS)
"""

PARTITIONED = """
from pathlib import Path
import dagster as dg

FOLDER = Path({folder!r})


@dg.asset(
    partitions_def=dg.StaticPartitionsDefinition([*"abc"]), config_schema={{"mark": str}}
)
def daily(context):
    with (FOLDER / "begun").open("a") as file:
        file.write(context.partition_key + context.op_config["mark"] + " ")
    if context.partition_key != "a" and not (FOLDER / "repaired").exists():
        raise ValueError("the disk is full")


defs = dg.Definitions(assets=[daily])
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of three assets, of which the second fails until a file is there."""
    name = f"resumed_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(DEFINITIONS.format(folder=str(tmp_path)))
    monkeypatch.syspath_prepend(tmp_path)
    return name


def etl(*arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments])


def states(done: Result) -> dict[str, str]:
    return {one["table"]: one["state"] for one in json.loads(done.stdout)["assets"]}


@pytest.mark.stored_instance
@pytest.mark.usefixtures("settings")
def test_only_what_failed_and_what_was_not_run_is_run(
    module: str, tmp_path: Path, stored_instance: dg.DagsterInstance
) -> None:
    etl("materialize", "-m", module)
    (run,) = stored_instance.get_runs()
    assert run.status is dg.DagsterRunStatus.FAILURE
    again = etl("resume", run.run_id[:8], "-m", module, "--json")
    assert again.exit_code == 1
    assert states(again) == {"first": "complete", "broken": "failed", "last": "not run"}
    (error,) = [one["error"] for one in json.loads(again.stdout)["assets"] if one["error"]]
    assert error == "ValueError: the disk is full"
    (tmp_path / "repaired").touch()
    done = etl("resume", run.run_id, "-m", module, "--json")  # the run itself, not the newest
    assert done.exit_code == 0, done.output
    assert states(done) == {"first": "complete", "broken": "made", "last": "made"}
    nothing = etl("resume", run.run_id, "-m", module)
    assert nothing.exit_code == 0
    assert "everything is complete, nothing was run" in nothing.output
    assert (tmp_path / "begun").read_text().split() == [
        *("first", "broken"), "broken", *("broken", "last"),
    ]  # fmt: skip
    newest = stored_instance.get_run_by_id(json.loads(done.stdout)["run"])
    assert newest is not None
    assert newest.root_run_id == run.run_id
    assert newest.tags["dagster/is_asset_resume_retry"] == "true"


@pytest.mark.stored_instance
@pytest.mark.usefixtures("settings")
def test_checks_that_are_steps_of_their_own_are_made_up_for_too(
    module: str, tmp_path: Path, stored_instance: dg.DagsterInstance
) -> None:
    (tmp_path / "checked").touch()
    (tmp_path / "repaired").touch()
    etl("materialize", "-m", module)
    (run,) = stored_instance.get_runs()
    (tmp_path / "judgeable").touch()
    (tmp_path / "begun").unlink()
    # A blocking check refused the asset: both are made again. One that broke runs by itself.
    again = etl("resume", run.run_id, "-m", module, "--json")
    assert states(again) == {
        "first": "complete",
        "broken": "complete",
        "last": "not run",
        "first: judged": "made",
        "last: sound": "failed",
    }
    assert sorted((tmp_path / "begun").read_text().split()) == ["judged", "last", "sound"]
    (tmp_path / "sound").touch()
    done = etl("resume", run.run_id, "-m", module, "--json")
    assert done.exit_code == 0, done.output
    assert "everything is complete" in etl("resume", run.run_id, "-m", module).output


@pytest.mark.stored_instance
@pytest.mark.usefixtures("settings")
def test_of_a_backfill_every_run_that_did_not_succeed_is_resumed(
    tmp_path: Path, stored_instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "resumed_days.py").write_text(PARTITIONED.format(folder=str(tmp_path)))
    monkeypatch.syspath_prepend(tmp_path)
    defs = importlib.import_module("resumed_days").defs
    stored_instance.add_backfill(
        PartitionBackfill(
            backfill_id="abcdefgh",
            status=BulkActionStatus.COMPLETED_FAILED,
            from_failure=False,
            tags={},
            backfill_timestamp=0.0,
        )
    )
    job = defs.resolve_implicit_global_asset_job_def()
    for day in "abc":
        tags = {"dagster/backfill": "abcdefgh"}
        job.execute_in_process(
            instance=stored_instance,
            partition_key=day,
            tags=tags,
            run_config={"ops": {"daily": {"config": {"mark": "1"}}}},
            raise_on_error=False,
        )
    (tmp_path / "repaired").touch()
    done = etl("resume", "abcdefgh", "-m", "resumed_days", "--json")
    assert done.exit_code == 0, done.output
    assert [one["assets"][0]["state"] for one in json.loads(done.stdout)] == ["made", "made"]
    assert (tmp_path / "begun").read_text().split() == ["a1", *("b1", "c1"), *("b1", "c1")]


@pytest.mark.stored_instance
@pytest.mark.usefixtures("settings")
@pytest.mark.stress  # what Dagster's own part makes
def test_dagsters_own_re_execution_from_failure_makes_the_same(
    module: str, tmp_path: Path, stored_instance: dg.DagsterInstance
) -> None:
    etl("materialize", "-m", module)
    (run,) = stored_instance.get_runs()
    (tmp_path / "repaired").touch()
    origin = LoadableTargetOrigin(python_file=str(tmp_path / f"{module}.py"))
    with in_process_test_workspace(stored_instance, origin) as workspace:
        (location,) = workspace.code_locations
        (repository,) = location.get_repositories().values()
        new = stored_instance.create_reexecuted_run(
            parent_run=run,
            request_context=workspace,
            code_location=location,
            remote_job=repository.get_full_job(run.job_name),
            strategy=ReexecutionStrategy.FROM_ASSET_FAILURE,
        )
        assert isinstance(new.job_code_origin, JobPythonOrigin)
        execute_run(recon_job_from_origin(new.job_code_origin), new, stored_instance)
    assert (tmp_path / "begun").read_text().split() == ["first", *("broken", "broken", "last")]
    assert new.root_run_id == run.run_id
    nothing = etl("resume", run.run_id, "-m", module, "--json")
    assert set(states(nothing).values()) == {"complete"}
    assert json.loads(nothing.stdout)["run"] is None


@pytest.mark.stored_instance
@pytest.mark.usefixtures("settings")
def test_what_a_later_run_has_made_is_not_made_again(
    module: str, tmp_path: Path, stored_instance: dg.DagsterInstance
) -> None:
    etl("materialize", "-m", module)
    (run,) = stored_instance.get_runs()
    (tmp_path / "repaired").touch()
    etl("materialize", 'key:"broken"', "-m", module)
    done = etl("resume", run.run_id, "-m", module, "--json")
    assert states(done) == {"first": "complete", "broken": "complete", "last": "made"}


def hanging(instance: dg.DagsterInstance, like: dg.DagsterRun, number: int) -> str:
    """A run that a process of this number has begun to work on."""
    run = dg.DagsterRun(job_name=like.job_name, status=dg.DagsterRunStatus.STARTED)
    instance.run_storage.add_run(run)
    about = EngineEventData.in_process(number)
    instance.report_engine_event("Executing steps in process", run, about)
    for event in instance.all_logs(like.run_id):
        found = event.dagster_event
        if found and found.event_type_value == "ASSET_MATERIALIZATION_PLANNED":
            instance.report_dagster_event(found, run.run_id)
    return run.run_id


@pytest.mark.stored_instance
@pytest.mark.usefixtures("settings")
def test_a_run_under_way_is_refused_but_one_whose_process_is_gone_is_ended_and_resumed(
    module: str, tmp_path: Path, stored_instance: dg.DagsterInstance
) -> None:
    (tmp_path / "repaired").touch()
    etl("materialize", "-m", module)
    (run,) = stored_instance.get_runs()
    under_way = hanging(stored_instance, run, os.getpid())
    refused = etl("resume", under_way, "-m", module)
    assert isinstance(refused.exception, ConfigError)
    assert "--lost" in str(refused.exception)
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert "is gone" not in etl("status").stderr
    lost = hanging(stored_instance, run, process.pid)
    told = etl("status")
    assert f"its process ({process.pid}" in told.stderr
    assert f"etl resume {lost}" in told.stderr
    assert under_way not in told.stderr
    for run_id, options in ((lost, []), (under_way, ["--lost"])):
        done = etl("resume", run_id, *options, "-m", module, "--json")
        assert done.exit_code == 0, done.output
        # The second has nothing left to do: the resumed first one has made it all.
        assert set(states(done).values()) == {"made" if run_id == lost else "complete"}
        ended = stored_instance.get_run_by_id(run_id)
        assert ended is not None
        assert ended.status is dg.DagsterRunStatus.FAILURE
    unknown = etl("resume", "no-such-run", "-m", module)
    assert isinstance(unknown.exception, UnknownName)
    assert "nothing to resume" not in etl("resume", "--last", "-m", module).output
    assert etl("resume", lost, "--last", "-m", module).exit_code == 2
