"""``etl query``, ``etl history`` and ``etl promote`` as a shell sees them."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from etl_platform import Platform
from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform_tests.cli.conftest import Etl

ETL = Path(sys.executable).with_name("etl")
LISTENING = (
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)
RUNAWAY = "SELECT count(*) FROM range(100000000) a, range(100000000) b WHERE hash(a, b) = 1"


@pytest.fixture
def shop(settings: Settings) -> Platform:
    platform = Platform.open(settings)
    frame = pl.DataFrame({"id": list(range(250)), "qty": [n % 7 for n in range(250)]})
    platform.lake.publish(platform.lake.stage(TableName("shop", "orders"), frame))
    return platform


def test_pages_follow_each_other_by_cursor(shop: Platform, etl: Etl) -> None:
    done = etl("query", "SELECT id FROM shop.orders ORDER BY id", "--limit", "100")
    seen = [int(line) for line in done.stdout.split()[2:]]
    while found := re.search(r"next page: etl query --cursor (\S+)", done.stderr):
        done = etl("query", "--cursor", found[1], "--limit", "100", "--json")
        seen += [row["id"] for row in json.loads(done.stdout)]
    assert seen == list(range(250))
    assert "from row 201 50 shown" in done.stderr


def test_a_plan_is_explained_and_not_run(shop: Platform, etl: Etl) -> None:
    told = etl("explain", "SELECT qty FROM shop.orders WHERE id < 7").stdout
    assert "scan shop.orders version 0: 1 of 1 files, 250 of 250 rows" in told
    assert "- prune files: " in told
    plan = json.loads(etl("explain", "SELECT * FROM shop.orders", "--json").stdout)
    assert [one["table"] for one in plan["inputs"]] == ["shop.orders"]
    assert etl("explain", "DROP TABLE shop.orders").returncode == 1
    assert [past.status for past in shop.history()] == ["refused"]


def test_a_result_becomes_a_file(shop: Platform, etl: Etl, tmp_path: Path) -> None:
    sql = "SELECT * FROM shop.orders"
    done = etl("query", sql, "--output", str(tmp_path / "o.parquet"))
    assert (done.returncode, done.stdout) == (0, "")
    assert pl.read_parquet(tmp_path / "o.parquet").height == 250
    assert etl("query", sql, "--format", "csv").stdout.splitlines()[:2] == ["id,qty", "0,0"]
    wrong = etl("query", sql, "--output", str(tmp_path / "o.docx"))
    assert wrong.returncode == 1
    assert "valid: arrow, csv, json, parquet, xlsx" in wrong.stderr


def test_a_saved_query_takes_typed_values(shop: Platform, etl: Etl) -> None:
    sql = "SELECT count(*) AS n FROM shop.orders WHERE id >= $least"
    direct = etl("query", sql, "--param", "least:integer=240", "--json")
    assert json.loads(direct.stdout) == [{"n": 10}]
    assert etl("query", sql, "-p", "least:integer=200", "--save", "many").returncode == 0
    assert json.loads(etl("query", "@many", "--json").stdout) == [{"n": 50}]
    assert json.loads(etl("query", "@many", "-p", "least=249", "--json").stdout) == [{"n": 1}]
    wrong = etl("query", "@many", "-p", "least=few")
    assert (wrong.returncode, "'few' is not of type integer" in wrong.stderr) == (1, True)
    assert "did you mean 'many'" in etl("query", "@manny").stderr
    assert "@many   least:integer=200" in etl("history", "--saved").stdout


def test_history_leads_to_a_model(shop: Platform, etl: Etl, tmp_path: Path) -> None:
    etl("query", "SELECT qty, count(*) AS n FROM shop.orders GROUP BY qty")
    etl("query", "DROP TABLE shop.orders")
    refused, ok = json.loads(etl("history", "--json").stdout)
    assert (refused["status"], ok["status"], ok["rows"]) == ("refused", "ok", 7)
    assert etl("history", "--status", "ok").stdout.count("\n") == 3
    file = tmp_path / "models" / "by_qty.sql"
    done = etl("promote", str(ok["id"]), "--to", str(file))
    assert done.returncode == 0, done.stderr
    assert "rule: unique\n    column: qty" in file.read_text()
    again = etl("promote", str(ok["id"]), "--to", str(file))
    assert (again.returncode, "--force" in again.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--timeout", "0.3"), "ran for more than 0.3 seconds"),
        (("--max-rows", "0"), "more than 0 rows"),
    ],
)
def test_limits_hold(shop: Platform, etl: Etl, arguments: tuple[str, ...], told: str) -> None:
    sql = RUNAWAY if "--timeout" in arguments else "SELECT * FROM shop.orders"
    done = etl("query", sql, *arguments)
    assert (done.returncode, told in done.stderr) == (1, True)


def test_limits_in_bytes_are_written_with_units(shop: Platform, etl: Etl) -> None:
    done = etl("query", "SELECT sum(id) AS s FROM shop.orders", "--max-scan", "10B")
    assert (done.returncode, "would read" in done.stderr) == (1, True)
    assert etl("query", "SELECT 1", "--max-scan", "few").returncode == 2


@pytest.mark.parametrize("arguments", [("query",), ("query", "SELECT 1", "--cursor", "x")])
def test_sql_or_a_cursor_is_needed(
    settings: Settings, etl: Etl, arguments: tuple[str, ...]
) -> None:
    assert etl(*arguments).returncode == 2


def test_a_terminal_sees_how_far_it_is_and_control_c_stops_it(shop: Platform) -> None:
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"}
    # A shell starts background jobs with Ctrl-C ignored, and whatever they start inherits that.
    listening = [sys.executable, "-c", LISTENING, str(ETL), "query", RUNAWAY]
    with subprocess.Popen(listening, stdout=follower, stderr=follower, env=environment) as asking:
        os.close(follower)
        shown = b""
        while not re.search(rb"[1-9][0-9]*%", shown):
            shown += os.read(leader, 4096)
        asking.send_signal(signal.SIGINT)
        try:
            while os.read(leader, 4096):
                pass
        except OSError:
            pass  # Linux reports the end of a terminal as an error.
    os.close(leader)
    assert asking.returncode not in (0, None)
    assert [one.status for one in shop.history()] == ["cancelled"]
