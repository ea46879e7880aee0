"""Steps on two Celery workers, one of which is killed: the tables are those of one process."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml
from dagster import DagsterEventType, DagsterInstance

from etl_platform.core.settings import Settings
from etl_platform.instance_storage import POSTGRES_URL
from etl_platform.lakehouse import Lake
from etl_platform_tests.servers.dying_with import dying_with_us
from etl_platform_tests.servers.postgres import PostgresDatabase

PROJECT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
TABLES = 10
_TIMEOUT_S = 240
_REDELIVERED_AFTER_S = 20

DEFINITIONS = f"""
import os
from pathlib import Path

import dagster as dg
import polars as pl
import yaml

from etl_platform.io_manager import LakeIOManager
from etl_platform.publishing.lake_asset import lake_asset
from etl_platform.resources import LakeResource


def table(number):
    rule = {{"rule": "range", "column": "value", "min": 0}}

    @lake_asset(key=["work", f"t{{number}}"], contract={{"rules": [rule]}})
    def made() -> pl.DataFrame:
        rows = pl.int_range(3_000_000 + number, eager=True).alias("id")
        return pl.DataFrame([rows, (rows * 2654435761 % 1_000_003).alias("value")])

    return made


tables = [table(number) for number in range({TABLES})]


@lake_asset(key=["work", "total"], deps=tables)
def total() -> pl.DataFrame:
    from etl_platform import Platform

    return pl.concat(
        Platform.open().scan(f"work.t{{number}}").select(pl.sum("value"), pl.len())
        for number in range({TABLES})
    ).collect()


lake = LakeResource()
options = os.environ.get("CELERY_YAML")
if options:
    from dagster_celery import celery_executor

    executor = celery_executor.configured(
        yaml.safe_load(Path(options).read_text())["execution"]["config"]
    )
else:
    executor = dg.in_process_executor
defs = dg.Definitions(
    assets=[*tables, total],
    jobs=[dg.define_asset_job("everything")],
    resources={{"lake": lake, "lake_io_manager": LakeIOManager(lake=lake)}},
    executor=executor,
)
"""


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[str]:
    """The address of a Redis of the test's own."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("Redis is not installed: apt-get install redis-server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with (tmp_path / "redis.log").open("w") as log:
        server = subprocess.Popen(
            [*dying_with_us(), *command], stdout=log, stderr=log, cwd=tmp_path
        )
    try:
        until(lambda: can_connect(port), "Redis answers")
        yield f"redis://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture
def runs(postgres: PostgresDatabase) -> Iterator[PostgresDatabase]:
    """Another database, for Dagster: both keep the version of their schema in a table so called."""
    made = PostgresDatabase(postgres.server, f"{postgres.name}_runs")
    postgres.execute(f"CREATE DATABASE {made.name}")
    yield made
    postgres.execute(f"DROP DATABASE {made.name} WITH (FORCE)")


def can_connect(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def until(true, what: str) -> None:
    """Poll until something holds."""
    end = time.monotonic() + _TIMEOUT_S
    while not true():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.2)


def environment(folder: Path, records: PostgresDatabase, runs: str, **more: str) -> dict[str, str]:
    home = folder / "home"
    home.mkdir(parents=True, exist_ok=True)
    shutil.copy(PROJECT / "dagster.yaml", home)
    return {
        **os.environ,
        "DAGSTER_HOME": str(home),
        POSTGRES_URL: runs,
        "ETL_LAKE_URI": str(folder / "lake"),
        "ETL_METASTORE_URL": records.url,
        "ETL_TEMP_DIR": str(folder / "tmp"),
        "ETL_MEMORY_LIMIT": str(1024**3),
        "ETL_THREADS": "1",
        "PYTHONPATH": f"{folder.parent}:{PROJECT}",
        "PATH": f"{BIN}:{os.environ['PATH']}",
        **more,
    }


def run_job(env: Mapping[str, str], folder: Path) -> subprocess.Popen[bytes]:
    command = [BIN / "dagster", "job", "execute", "-m", "celery_project", "-j", "everything"]
    with (folder / "run.log").open("w") as log:
        return subprocess.Popen(command, env=dict(env), cwd=folder, stdout=log, stderr=log)


def worker(name: str, env: Mapping[str, str], folder: Path) -> subprocess.Popen[bytes]:
    """A worker with a process group of its own, that can be killed as a machine goes away."""
    start = [BIN / "dagster-celery", "worker", "start", "-A", "dagster_celery.app"]
    options = ["--name", name, "--config-yaml", env["CELERY_YAML"], "--", "--concurrency", "1"]
    with (folder / f"{name}.log").open("w") as log:
        return subprocess.Popen(
            [*start, *options],
            env=dict(env),
            cwd=folder,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def checksums(folder: Path) -> dict[str, str]:
    lake = Lake(
        str(folder / "lake"),
        Settings(lake_uri=str(folder / "lake"), temp_dir=str(folder / "tmp")),
    )
    return {table.sql: lake.checksum(table) for table in lake.names()}


@pytest.mark.stress
@pytest.mark.postgres
def test_two_workers_of_which_one_is_killed_make_the_tables_of_one_process(
    postgres: PostgresDatabase,
    runs: PostgresDatabase,
    redis: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("dagster_celery")
    (tmp_path / "celery_project.py").write_text(DEFINITIONS)
    alone, many = tmp_path / "alone", tmp_path / "many"
    alone.mkdir(), many.mkdir()
    options = yaml.safe_load((PROJECT / "docs/deployment/celery/celery.yaml").read_text())
    transport = options["execution"]["config"]["config_source"]["broker_transport_options"]
    transport["visibility_timeout"] = _REDELIVERED_AFTER_S
    (tmp_path / "celery.yaml").write_text(yaml.safe_dump(options))

    one = run_job(environment(alone, postgres, ""), alone)
    assert one.wait(_TIMEOUT_S) == 0, (alone / "run.log").read_text()[-3000:]

    env = environment(
        many,
        postgres,
        runs.url,
        CELERY_YAML=str(tmp_path / "celery.yaml"),
        CELERY_BROKER=f"{redis}/0",
        CELERY_BACKEND=f"{redis}/1",
    )
    for name in ("DAGSTER_HOME", POSTGRES_URL):
        monkeypatch.setenv(name, env[name])
    with DagsterInstance.get() as instance, contextlib.ExitStack() as at_end:
        workers = {name: worker(name, env, many) for name in ("first", "second")}

        def kill(name: str) -> None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(workers[name].pid, signal.SIGKILL)
            workers[name].wait(30)

        for name in workers:
            at_end.callback(kill, name)

        def steps(kind: DagsterEventType) -> list[str]:
            return [
                entry.step_key or ""
                for run in instance.get_runs()
                for entry in instance.all_logs(run.run_id, of_type=kind)
            ]

        def by(name: str) -> list[str]:
            """The steps that a worker began."""
            return [
                entry.step_key or ""
                for run in instance.get_runs()
                for entry in instance.all_logs(run.run_id, of_type=DagsterEventType.ENGINE_EVENT)
                if f"{name}@" in str(entry.dagster_event)
            ]

        run = run_job(env, many)
        begun = DagsterEventType.STEP_START
        until(lambda: len(steps(begun)) >= 3 and by("first") and by("second"), "both work")

        def at_work() -> set[str]:
            return set(by("first")) & set(steps(begun)) - set(steps(DagsterEventType.STEP_SUCCESS))

        until(lambda: bool(at_work()), "the first worker is within a step")
        kill("first")
        lost = at_work()
        assert run.wait(_TIMEOUT_S) == 0, (many / "run.log").read_text()[-3000:]
        again = lost & set(by("second"))
        made = steps(DagsterEventType.STEP_SUCCESS)
        print(
            f"{len(by('first'))} steps of the worker that was killed, {len(by('second'))} of the "
            f"other, done again: {', '.join(sorted(again)) or 'none'}; {len(made)} succeeded"
        )
        assert lost
        assert again == lost
        assert set(made) == {f"work__t{n}" for n in range(TABLES)} | {"work__total"}
    assert checksums(many) == checksums(alone)
    assert len(checksums(many)) == TABLES + 1
    lake = Lake(env["ETL_LAKE_URI"], Settings(lake_uri=env["ETL_LAKE_URI"]))
    assert {lake.version(table) for table in lake.names()} == {0}, "nothing was published twice"
