"""``etl indexes`` on a SQLite file and on a PostgreSQL that lacks hypopg."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from etl_platform.cli.app import app
from etl_platform_tests.servers.postgres import PostgresDatabase

_QUERY = "SELECT * FROM t WHERE a = 3"
runner = CliRunner()


@pytest.fixture
def uri(tmp_path: Path) -> str:
    """A file with one table that an index helps."""
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as session:
        session.execute("CREATE TABLE t (a INTEGER, b TEXT)")
        session.executemany("INSERT INTO t VALUES (?, 'x')", [(n,) for n in range(5_000)])
        session.commit()
    return f"sqlite:///{path}"


def test_indexes_prints_the_statement_and_how_the_plan_changes(uri: str) -> None:
    done = runner.invoke(app, ["indexes", uri, _QUERY])
    assert done.exit_code == 0
    assert "CREATE INDEX t_a_idx ON t (a);" in done.stdout
    assert "    - SCAN t\n    + SEARCH t USING INDEX t_a_idx (a=?)" in done.stdout


def test_indexes_says_that_none_is_worth_it(uri: str) -> None:
    done = runner.invoke(app, ["indexes", uri, "SELECT count(*) FROM t"])
    assert done.exit_code == 0
    assert "No index is worth its writes" in done.stdout


def test_indexes_reads_a_workload_from_a_file_and_from_standard_input(
    uri: str, tmp_path: Path
) -> None:
    file = tmp_path / "workload.sql"
    file.write_text(f"{_QUERY}; SELECT b FROM t WHERE a = 4;")
    done = runner.invoke(
        app, ["indexes", uri, "-", "--file", str(file), "--json"], input="SELECT 1"
    )
    assert done.exit_code == 0
    document = json.loads(done.stdout)
    assert [one["statement"] for one in document["statements"]] == [1, 2, 3]
    (one,) = document["suggestions"]
    assert [gain["statement"] for gain in one["gains"]] == [2, 3]


@pytest.mark.postgres
def test_indexes_fails_with_the_permission_that_it_needs(postgres: PostgresDatabase) -> None:
    postgres.execute(
        "CREATE TABLE t (a int)", "INSERT INTO t SELECT generate_series(1, 5000)", "ANALYZE t"
    )
    refused = runner.invoke(app, ["indexes", postgres.url, _QUERY])
    assert refused.exit_code == 1
    assert "CREATE INDEX" not in refused.stdout
    assert "hypopg" in refused.stderr
    built = runner.invoke(app, ["indexes", postgres.url, _QUERY, "--build"])
    assert built.exit_code == 0
    assert "CREATE INDEX CONCURRENTLY t_a_idx ON public.t (a);" in built.stdout
    assert "rolled back" in built.stderr


def test_indexes_without_a_query_is_wrong_usage(uri: str) -> None:
    assert runner.invoke(app, ["indexes", uri]).exit_code == 2


def test_indexes_does_not_take_a_url_with_a_password() -> None:
    done = runner.invoke(app, ["indexes", "postgresql://u:hunter2@127.0.0.1/x", _QUERY])
    assert done.exit_code == 1
    assert "hunter2" not in str(done.exception) + done.output
