"""A run that is cancelled stops what it had begun: in the source's server and in DuckDB."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import psutil
import pytest
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import PythonFileTarget
from dagster_graphql.test.utils import execute_dagster_graphql

from etl_platform.core.settings import Settings
from etl_platform_tests.components import long_work
from etl_platform_tests.servers.mariadb import MariaDbDatabase
from etl_platform_tests.servers.postgres import PostgresDatabase

LAUNCH = """
mutation ($selector: JobOrPipelineSelector!) {
  launchRun(executionParams: {selector: $selector, runConfigData: {}, mode: "default"}) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}
"""
TERMINATE = """
mutation ($run: String!) {
  terminateRun(runId: $run) { __typename ... on TerminateRunFailure { message } }
}
"""


COMPUTING_S = 3
"""More processor time than an asset takes from its start to its query."""


class Deployment:
    """An instance, the server of a code location, and the requests of the UI."""

    def __init__(self, context: WorkspaceProcessContext) -> None:
        self._context = context
        self.instance = context.instance

    def launch(self, *keys: str) -> str:
        selector = {
            "repositoryLocationName": "long_work",
            "repositoryName": "__repository__",
            "pipelineName": "__ASSET_JOB",
            "assetSelection": [{"path": key.split("/")} for key in keys],
        }
        with self._context.create_request_context() as request:
            told = execute_dagster_graphql(request, LAUNCH, {"selector": selector}).data
        return told["launchRun"]["run"]["runId"]

    def terminate(self, run_id: str) -> None:
        with self._context.create_request_context() as request:
            told = execute_dagster_graphql(request, TERMINATE, {"run": run_id}).data
        assert told["terminateRun"]["__typename"] == "TerminateRunSuccess", told

    def status(self, run_id: str) -> dg.DagsterRunStatus:
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        return run.status

    def started(self, run_id: str, step: str) -> bool:
        return any(
            record.dagster_event.event_type_value == "STEP_START"
            for record in self.instance.all_logs(run_id)
            if record.dagster_event and record.dagster_event.step_key == step
        )

    def worker(self, run_id: str, step: str) -> psutil.Process | None:
        """The process of a step, once it has begun."""
        for record in self.instance.all_logs(run_id):
            event = record.dagster_event
            if event and event.event_type_value == "STEP_WORKER_STARTED" and event.step_key == step:
                return psutil.Process(int(event.event_specific_data.metadata["pid"].value))
        return None


@pytest.fixture
def deployment(
    stored_instance: dg.DagsterInstance,
    settings: Settings,
    postgres: PostgresDatabase,
    mariadb: MariaDbDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Deployment]:
    monkeypatch.setenv("LONG_POSTGRES", postgres.url)
    monkeypatch.setenv("LONG_MARIADB", mariadb.url)
    target = PythonFileTarget(
        python_file=long_work.__file__,
        attribute=None,
        working_directory=str(Path(__file__).parents[2]),
        location_name="long_work",
    )
    at_once = {
        "run_coordinator": {
            "module": "dagster._core.run_coordinator.default_run_coordinator",
            "class": "DefaultRunCoordinator",
        }
    }
    home = stored_instance.root_directory
    with (
        dg.DagsterInstance.local_temp(home, overrides=at_once) as instance,
        WorkspaceProcessContext(instance, target) as context,
    ):
        yield Deployment(context)


def until(holds: Callable[[], object], seconds: float = 90) -> float:
    """Poll; how long it took, in seconds."""
    started = time.monotonic()
    while not holds():
        assert time.monotonic() - started < seconds, "it never came"
        time.sleep(0.02)
    return time.monotonic() - started


def sleeping_in_postgres(database: PostgresDatabase) -> int:
    asked = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE wait_event = 'PgSleep' AND datname = current_database()"
    )
    with database.connect() as session:
        return session.execute(asked).fetchone()[0]


def sleeping_in_mariadb(database: MariaDbDatabase) -> int:
    import pymysql

    port = database.server.port
    with pymysql.connect(host="127.0.0.1", port=port, user="root") as session:
        cursor = session.cursor()
        cursor.execute(
            "SELECT count(*) FROM information_schema.processlist "
            "WHERE info LIKE '%sleep(600)%' AND info NOT LIKE '%processlist%'"
        )
        return cursor.fetchone()[0]


def cpu_s(process: psutil.Process) -> float:
    return sum(process.cpu_times()[:2])


def cancelled(
    deployment: Deployment,
    postgres: PostgresDatabase,
    mariadb: MariaDbDatabase,
    keys: list[str],
) -> dict[str, float]:
    """Launch, wait until all is under way, cancel: the seconds until each kind of work is gone."""
    sleeps = {
        "PostgreSQL": (sleeping_in_postgres, postgres, sum("postgres" in key for key in keys)),
        "MariaDB": (sleeping_in_mariadb, mariadb, sum("mariadb" in key for key in keys)),
    }
    run = deployment.launch(*keys)
    for count, database, wanted in sleeps.values():
        until(lambda count=count, database=database, wanted=wanted: count(database) == wanted)
    model = None
    if "models/pairs" in keys:
        until(lambda: deployment.started(run, "models__pairs"))
        model = deployment.worker(run, "models__pairs")
        assert model
        idle_s = cpu_s(model)
        until(lambda: cpu_s(model) > idle_s + COMPUTING_S)
    gone: dict[str, float] = {}
    started = time.monotonic()
    deployment.terminate(run)
    while len(gone) < len(sleeps) + (model is not None):
        assert time.monotonic() - started < 60, f"only these stopped: {gone}"
        for name, (count, database, _) in sleeps.items():
            if name not in gone and not count(database):
                gone[name] = time.monotonic() - started
        if model and "DuckDB" not in gone and not model.is_running():
            gone["DuckDB"] = time.monotonic() - started
    until(lambda: deployment.status(run).name not in ("STARTED", "CANCELING"))
    assert deployment.status(run) is dg.DagsterRunStatus.CANCELED
    retries = [
        str(record.dagster_event.step_retry_data.error)
        for record in deployment.instance.all_logs(run)
        if record.dagster_event and record.dagster_event.event_type_value == "STEP_UP_FOR_RETRY"
    ]
    assert not retries, retries[0]
    return gone


@pytest.mark.mariadb
@pytest.mark.postgres
@pytest.mark.stored_instance
@pytest.mark.timeout(240)
def test_a_cancelled_run_stops_its_statements_and_its_model(
    deployment: Deployment, postgres: PostgresDatabase, mariadb: MariaDbDatabase
) -> None:
    keys = ["postgres/copy", "mariadb/mysql", "models/pairs"]
    gone = cancelled(deployment, postgres, mariadb, keys)
    print(*(f"{name} stopped {seconds:.2f} s after the request" for name, seconds in gone.items()))


@pytest.mark.stress
@pytest.mark.mariadb
@pytest.mark.postgres
@pytest.mark.parametrize(
    "keys",
    [
        ["postgres/sqlalchemy", "mariadb/counted"],
        ["postgres/adbc", "mariadb/mysql"],
        ["postgres/counted", "mariadb/mysql"],
    ],
    ids=" ".join,
)
def test_every_engine_stops_when_its_run_is_cancelled(
    deployment: Deployment, postgres: PostgresDatabase, mariadb: MariaDbDatabase, keys: list[str]
) -> None:
    gone = cancelled(deployment, postgres, mariadb, keys)
    print(*(f"{name} stopped {seconds:.2f} s after the request" for name, seconds in gone.items()))
