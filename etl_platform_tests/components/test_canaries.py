"""No secret is left behind: not by what works, and not by what fails."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa

from etl_platform_tests.canaries import Canaries
from etl_platform_tests.components.conftest import Project
from etl_platform_tests.servers.postgres import PostgresServer

pytestmark = pytest.mark.postgres
USER = "canary"


@pytest.fixture(scope="module")
def canaries(postgres_server: PostgresServer) -> Iterator[Canaries]:
    """Secrets, of which ``right`` lets its user into the server."""
    made = Canaries()
    hba = postgres_server.folder / "data" / "pg_hba.conf"
    before = hba.read_text()
    hba.write_text(f"host all {USER} 127.0.0.1/32 scram-sha-256\n{before}")
    with postgres_server.connect() as session:
        session.execute(f"CREATE ROLE {USER} LOGIN PASSWORD '{made('right')}'".encode())
        session.execute(f"CREATE DATABASE {USER} OWNER {USER}".encode())
        session.execute("SELECT pg_reload_conf()")
    yield made
    with postgres_server.connect() as session:
        session.execute(f"DROP DATABASE {USER} WITH (FORCE)".encode())
        session.execute(f"DROP ROLE {USER}".encode())
    hba.write_text(before)


@pytest.fixture
def urls(
    canaries: Canaries, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment that the project's references point to."""

    def url(name: str, port: int, kind: str = "postgresql") -> str:
        made = sa.URL.create(kind, USER, canaries(name), "127.0.0.1", port, USER)
        return made.render_as_string(hide_password=False)

    port = postgres_server.port
    monkeypatch.setenv("RIGHT_URL", url("right", port))
    monkeypatch.setenv("WRONG_URL", url("wrong", port))
    monkeypatch.setenv("NOWHERE_URL", url("nowhere", 1))
    monkeypatch.setenv("MYSQL_URL", url("mysql", 1, "mysql"))
    monkeypatch.setenv("NO_URL", f"host=127.0.0.1 password={canaries('no_url')}")
    # libpq itself repeats what it cannot read.
    unquoted = f"postgresql://{USER}:{canaries('unquoted')}@127.0.0.1:{port}/{USER}"
    monkeypatch.setenv("UNQUOTED_URL", unquoted)
    monkeypatch.setenv("KAFKA_PASSWORD", canaries("kafka"))


def source(schema: str, variable: str, **queries: Mapping[str, object]) -> Mapping[str, object]:
    return {
        "type": "etl_platform.DatabaseSourceComponent",
        "attributes": {
            "url": f"env://{variable}",
            "target_schema": schema,
            "defaults": {"profile": "off"},
            "queries": queries or {"rows": {"sql": "SELECT 1 AS id"}},
            "retry": {"attempts": 0},
        },
    }


def sink(name: str, variable: str) -> Mapping[str, object]:
    return {
        "type": "etl_platform.DatabaseSinkComponent",
        "attributes": {
            "url": f"env://{variable}",
            "name": name,
            "tables": {"rows": {"source": "good.rows"}},
            "retry": {"attempts": 0},
        },
    }


STREAM = {
    "type": "etl_platform.StreamSourceComponent",
    "attributes": {
        "target_schema": "live",
        "kafka": {
            "bootstrap_servers": "127.0.0.1:1",
            "security": {"sasl": {"username": "etl", "password": "env://KAFKA_PASSWORD"}},
        },
        "streams": {
            "clicks": {
                "decode": {"format": "json", "columns": {"id": "int64"}},
                "sensor": {"budget_s": 0.5},
            }
        },
        "compaction": {"enabled": False},
    },
}


REFUSED = {"rules": [{"rule": "range", "column": "id", "min": 10}]}
QUERIES = {
    "rows": {"sql": "SELECT 1 AS id"},
    "refused": {"sql": "SELECT 1 AS id", "contract": REFUSED},
    "broken": {"sql": "SELEC nothing"},
    "divided": {"sql": "SELECT 1 / 0 AS id"},
}
WAYS = {
    "wrong": "WRONG_URL",
    "nowhere": "NOWHERE_URL",
    "mysql": "MYSQL_URL",
    "no_url": "NO_URL",
    "unquoted": "UNQUOTED_URL",
}
"""Sources that fail, and the variables that their references name."""
FAILING_SINKS = ("wrong", "nowhere")


def write(project: Project) -> None:
    project.write("good/defs.yaml", source("good", "RIGHT_URL", **QUERIES))
    for name, variable in WAYS.items():
        project.write(f"{name}/defs.yaml", source(name, variable))
    for name in FAILING_SINKS:
        project.write(f"{name}_sink/defs.yaml", sink(f"{name}_sink", WAYS[name]))
    project.write("good_sink/defs.yaml", sink("good_sink", "RIGHT_URL"))
    project.write("live/defs.yaml", STREAM)


@dg.asset(key=["own", "rows"], required_resource_keys={"good_database"})
def own_rows(context) -> None:
    """What people write themselves: a driver of their own, logs, and an error that tells all."""
    database = context.resources.good_database.database()
    url = database.url.render_as_string(hide_password=False)
    context.log.info("connecting to %s", url)
    logging.getLogger("own").warning("password is %s", database.url.password)
    try:
        raise ConnectionError(f"no connection with {database.url.password!r}")
    except ConnectionError as error:
        raise RuntimeError(f"cannot load from {url}") from error


def test_no_secret_is_left_by_runs_that_work_and_runs_that_fail(
    canaries: Canaries,
    urls: None,
    project: Project,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    write(project)
    keys = [f"{name}/rows" for name in (*WAYS, *(f"{way}_sink" for way in FAILING_SINKS))]
    queries = [f"good/{name}" for name in QUERIES]
    done = project.materialize(*queries, "good_sink/rows", *keys)
    made = {event.asset_key.to_user_string() for event in done.get_asset_materialization_events()}
    assert made == {"good/rows", "good_sink/rows"}
    failed = {event.step_key.replace("__", "/") for event in done.get_step_failure_events()}
    assert failed == {*keys, "good/refused", "good/broken", "good/divided"}
    with project.defs() as defs:
        own = dg.Definitions.merge(defs, dg.Definitions(assets=[own_rows]))
        job = own.resolve_implicit_global_asset_job_def()
        done = job.execute_in_process(
            instance=project.instance, asset_selection=[own_rows.key], raise_on_error=False
        )
        assert not done.success
        repository = defs.get_repository_def()
        with dg.build_sensor_context(
            instance=project.instance,
            repository_def=repository,
            resources=repository.get_top_level_resources(),
        ) as context:
            tick = repository.get_sensor_def("live_clicks_batches").evaluate_tick(context)
        assert "127.0.0.1:1" in str(tick.skip_message)
    told = [caplog.text, *capfd.readouterr(), str(tick)]
    for run in project.instance.get_runs():
        told += [str(entry) for entry in project.instance.all_logs(run.run_id)]
    assert "password authentication failed" in "\n".join(told)
    assert "cannot load from" in "\n".join(told)
    assert canaries.found_in("\n".join(told).encode()) == set()
    assert canaries.found_below(tmp_path, project.folder) == set()


def test_a_canary_is_found_wherever_it_hides(tmp_path: Path) -> None:
    import base64
    import gzip
    import sqlite3
    from urllib.parse import quote

    made = Canaries()
    secret = made("one")
    (tmp_path / "quoted").write_text(quote(secret))
    (tmp_path / "base64").write_bytes(base64.b64encode(f"user:{secret}".encode()))
    (tmp_path / "packed").write_bytes(gzip.compress(secret.encode()))
    con = sqlite3.connect(tmp_path / "database")
    con.execute("CREATE TABLE t AS SELECT ? AS x", ("-" * 4090 + secret,))
    con.commit()
    con.close()
    found = made.found_below(tmp_path)
    assert {Path(one.split(" in ")[1]).name for one in found} == {
        "quoted",
        "base64",
        "packed",
        "database",
    }
