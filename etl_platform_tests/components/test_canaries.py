"""No secret is left behind: not by what works, and not by what fails."""

from __future__ import annotations

import base64
import gzip
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import dagster as dg
import pytest

from etl_platform_tests.canaries import Canaries
from etl_platform_tests.canary_project import (
    FAILING,
    OK,
    OWN_ASSET,
    canaries_in,
    environment,
    write,
)
from etl_platform_tests.components.conftest import Project
from etl_platform_tests.servers.postgres import PostgresServer


@pytest.fixture
def canaries(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Canaries]:
    with canaries_in(postgres_server) as made:
        for name, value in environment(made, postgres_server.port).items():
            monkeypatch.setenv(name, value)
        yield made


@pytest.mark.postgres
@pytest.mark.stored_instance  # its files are searched, too
def test_no_secret_is_left_by_runs_that_work_and_runs_that_fail(
    canaries: Canaries,
    project: Project,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    write(project.folder)
    project.write("own.py", OWN_ASSET)
    done = project.materialize(*OK, *FAILING, "own/rows")
    made = {event.asset_key.to_user_string() for event in done.get_asset_materialization_events()}
    assert made == set(OK)
    failed = {event.step_key.replace("__", "/") for event in done.get_step_failure_events()}
    assert failed == {*FAILING, "own/rows"}
    with project.defs() as defs:
        repository = defs.get_repository_def()
        with dg.build_sensor_context(
            instance=project.instance,
            repository_def=repository,
            resources=repository.get_top_level_resources(),
        ) as context:
            tick = repository.get_sensor_def("clicked_clicks_batches").evaluate_tick(context)
        assert "127.0.0.1:1" in str(tick.skip_message)
    told = [caplog.text, *capfd.readouterr(), str(tick)]
    for run in project.instance.get_runs():
        told += [str(entry) for entry in project.instance.all_logs(run.run_id)]
    assert "password authentication failed" in "\n".join(told)
    assert "cannot load from" in "\n".join(told)
    assert canaries.found_in("\n".join(told).encode()) == set()
    assert canaries.found_below(tmp_path, project.folder) == set()


def test_a_canary_is_found_wherever_it_hides(tmp_path: Path) -> None:
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
