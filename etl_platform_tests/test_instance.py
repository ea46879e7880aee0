"""dagster.yaml loads as it stands, and its storage follows the environment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from dagster import DagsterInstance, DagsterRunStatus, asset, materialize
from dagster._serdes import serialize_value

from etl_platform.core.errors import SecretError
from etl_platform.instance_storage import POSTGRES_URL
from etl_platform_tests.servers.postgres import PostgresDatabase

PROJECT = Path(__file__).parent.parent


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "dagster.yaml").symlink_to(PROJECT / "dagster.yaml")
    monkeypatch.setenv("DAGSTER_HOME", str(folder))
    return folder


@asset
def answer() -> int:
    return 42


def run_and_count(instance: DagsterInstance) -> int:
    assert materialize([answer], instance=instance).success
    assert instance.get_latest_materialization_event(answer.key) is not None
    return instance.get_runs_count()


def test_everything_is_kept_below_dagster_home(home: Path) -> None:
    with DagsterInstance.get() as instance:
        assert run_and_count(instance) == 1
    with DagsterInstance.get() as instance:
        assert [r.status for r in instance.get_runs()] == [DagsterRunStatus.SUCCESS]
    assert (home / "history" / "runs.db").exists()
    assert (home / "storage").is_dir()


@pytest.mark.postgres
def test_everything_is_kept_in_postgres_where_the_environment_says_so(
    home: Path, postgres: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHERE_IT_LIVES", postgres.url)
    monkeypatch.setenv(POSTGRES_URL, "env://WHERE_IT_LIVES")
    with DagsterInstance.get() as instance:
        assert run_and_count(instance) == 1
        reference = instance.get_ref()
    assert not (home / "history").exists()
    assert not (home / "schedules").exists()
    assert postgres.url not in repr(reference)
    with postgres.connect() as session:
        tables = {
            name
            for (name,) in session.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            )
        }
    assert {"runs", "event_logs", "jobs", "job_ticks"} <= tables


@pytest.mark.postgres
def test_a_process_that_gets_the_instance_by_reference_sees_the_same_runs(
    home: Path, postgres: PostgresDatabase, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # This is how a run worker reaches the instance of the daemon that started it.
    monkeypatch.setenv(POSTGRES_URL, postgres.url)
    with DagsterInstance.get() as instance:
        run_and_count(instance)
        (tmp_path / "reference.json").write_text(serialize_value(instance.get_ref()))
    script = (
        "import sys; from dagster import DagsterInstance;"
        "from dagster._serdes import deserialize_value;"
        "text = open(sys.argv[1]).read();"
        "print(DagsterInstance.from_ref(deserialize_value(text)).get_runs_count())"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "reference.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


def test_a_reference_that_does_not_resolve_is_an_error_and_not_a_silent_sqlite(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(POSTGRES_URL, "env://NOT_SET_ANYWHERE")
    with pytest.raises(SecretError, match="NOT_SET_ANYWHERE"):
        DagsterInstance.get().get_runs_count()
    assert not (home / "history").exists()


def test_limits_and_retention_of_the_file_are_in_force(home: Path) -> None:
    with DagsterInstance.get() as instance:
        concurrency = instance.get_concurrency_config()
        assert concurrency.run_queue_config is not None
        assert concurrency.run_queue_config.max_concurrent_runs == 8
        assert concurrency.pool_config.default_pool_limit == 4
        assert instance.run_monitoring_enabled
        assert instance.run_monitoring_max_runtime_seconds == 86400
        assert instance.run_retries_enabled
        assert not instance.run_retries_retry_on_asset_or_op_failure
        assert not instance.telemetry_enabled
