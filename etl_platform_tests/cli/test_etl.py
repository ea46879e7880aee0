"""The ``etl`` command as a shell sees it: output, errors and exit status.

Every command and every kind of end is that of a real process once; the rest is asked of the same
command in the process of the test, which need not import everything again.
"""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from etl_platform import Platform, __version__
from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform_tests.cli.conftest import Etl

ETL = Path(sys.executable).with_name("etl")
AT = datetime(2024, 2, 29, 12, tzinfo=UTC)


@pytest.fixture
def shop(settings: Settings) -> Platform:
    """``shop.orders`` with version 0 (three rows) and version 1 (two rows)."""
    platform = Platform.open(settings)
    frame = pl.DataFrame(
        {
            "id": [1, 2, 3],
            "name": ["ann", "b\x1b[2Jo\n", None],
            "price": [Decimal("1.10"), None, Decimal("3.00")],
            "at": [AT, None, AT],
            "share": [float("nan"), 0.5, None],
        }
    )
    for rows in (3, 2):
        table = TableName("shop", "orders")
        platform.lake.publish(platform.lake.stage(table, frame.head(rows)))
    return platform


def process(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ETL, *arguments], capture_output=True, text=True, check=False, input=stdin, timeout=120
    )


def test_help_teaches_with_examples(etl: Etl) -> None:
    overview = process("--help")
    assert overview.returncode == 0
    commands = (
        "advise",
        "engines",
        "explain",
        "history",
        "inspect",
        "lineage",
        "promote",
        "query",
        "receipts",
        "revert",
        "status",
    )
    for command in commands:
        assert command in overview.stdout
        shown = etl(command, "--help")
        assert shown.returncode == 0
        assert f"etl {command}" in shown.stdout.split("Examples")[1]


def test_version_is_that_of_the_package() -> None:
    assert process("--version").stdout == f"etl {__version__}\n"


def test_query_prints_a_table_in_which_data_cannot_steer_the_terminal(
    shop: Platform, etl: Etl
) -> None:
    done = etl("query", "SELECT id, name, price FROM shop.orders ORDER BY id")
    assert done.returncode == 0
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0] == ["id", "name", "price"]
    assert lines[2] == ["1", "ann", "1.10"]
    assert lines[3] == ["2", r"b\x1b[2Jo\n"]
    assert "2 rows" in done.stderr


def test_query_prints_json_that_keeps_types(shop: Platform, etl: Etl) -> None:
    done = etl("query", "SELECT * FROM shop.orders ORDER BY id", "--json")
    assert json.loads(done.stdout) == [
        {"id": 1, "name": "ann", "price": 1.1, "at": AT.isoformat(), "share": "nan"},
        {"id": 2, "name": "b\x1b[2Jo\n", "price": None, "at": None, "share": 0.5},
    ]


def test_json_writes_a_decimal_as_text_where_a_number_would_lose_digits(
    shop: Platform, etl: Etl
) -> None:
    sql = "SELECT 12345678901234567890.123::DECIMAL(38, 3) AS d, sum(id) AS s FROM shop.orders"
    [row] = json.loads(etl("query", sql, "--json").stdout)
    assert row == {"d": "12345678901234567890.123", "s": 3}


def test_query_reads_standard_input(shop: Platform) -> None:
    done = process("query", "-", "--json", stdin="SELECT count(*) AS n\nFROM shop.orders\n")
    assert json.loads(done.stdout) == [{"n": 2}]


def test_query_shows_some_rows_and_says_so(shop: Platform, etl: Etl) -> None:
    done = etl("query", "SELECT * FROM range(2500) t(i) ORDER BY i", "--limit", "2")
    assert done.stdout.split()[-2:] == ["0", "1"]
    assert "2,500 rows, the first 2 shown" in done.stderr
    assert etl("query", "SELECT * FROM range(150) t(i)", "-n", "0").stdout.count("\n") == 152


def test_a_reader_that_goes_away_is_no_error(shop: Platform) -> None:
    line = f"set -o pipefail; {ETL} query 'SELECT * FROM range(300000) t(i)' --json | head -c 20"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert done.stdout.startswith('[{"i": 0}')
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("query", "SELECT * FROM shop.order"), ["unknown table 'shop.order'", "did you mean"]),
        (("query", "SELECT nme FROM shop.orders"), ["nme", "did you mean 'name'"]),
        (("query", "DROP TABLE shop.orders"), ["DROP", "valid: exactly one SELECT"]),
        (("receipts", "shop.absent"), ["unknown table 'shop.absent'", "valid: shop.orders"]),
        (("revert", "shop.orders", "--to", "7"), ["unknown version '7'", "valid: 0, 1"]),
    ],
)
def test_a_failure_says_what_is_valid_on_standard_error(
    shop: Platform, arguments: tuple[str, ...], told: list[str], etl: Etl
) -> None:
    done = etl(*arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    for text in told:
        assert text in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("query",),
        ("revert", "shop.orders"),
        ("revert", "shop.orders", "--to", "first"),
        ("receipts", "No Such-Name"),
        ("status", "--yaml"),
    ],
)
def test_wrong_usage_is_status_two(arguments: tuple[str, ...], etl: Etl) -> None:
    done = etl(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Usage: etl" in done.stderr


def test_a_process_ends_with_the_status_of_its_command(shop: Platform) -> None:
    refused = process("query", "DROP TABLE shop.orders")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("error: ")
    unknown = process("nonsense")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "Usage: etl" in unknown.stderr


def test_receipts_and_revert_tell_the_story_of_a_table(shop: Platform, etl: Etl) -> None:
    done = etl("revert", "shop.orders", "--to", "0")
    assert done.returncode == 0
    assert done.stdout == "shop.orders is as it was at version 0, now version 2: 3 rows\n"
    told = json.loads(process("receipts", "shop.orders", "--json").stdout)
    assert [(r["version_after"], r["mode"], r["rows_total"]) for r in told] == [
        (2, "revert", 3),
        (1, "replace", 2),
        (0, "replace", 3),
    ]
    lines = etl("receipts", "shop.orders", "--limit", "1").stdout.splitlines()
    assert lines[2].split()[0] == "2"
    assert len(lines) == 3
    [answer] = json.loads(etl("query", "SELECT count(*) AS n FROM shop.orders", "--json").stdout)
    assert answer == {"n": 3}


def test_revert_prints_its_receipt_as_json(shop: Platform) -> None:
    receipt = json.loads(process("revert", "shop/orders", "--to", "0", "--json").stdout)
    assert (receipt["table"], receipt["version_before"], receipt["version_after"]) == (
        "shop.orders",
        1,
        2,
    )


def test_status_shows_audits_and_json_has_the_same(shop: Platform, etl: Etl) -> None:
    outcomes = json.dumps([{"rule": "a", "status": "passed"}, {"rule": "b", "status": "failed"}])
    shop.metastore.record_audit("shop.orders", None, "run", outcomes, lake=shop.lake.uri)
    done = etl("status")
    assert "refused" in done.stdout
    assert "1 passed, 1 failed" in done.stdout
    assert "\x1b" not in done.stdout
    everything = json.loads(etl("status", "--json").stdout)
    [told], [wrong] = everything["tables"], everything["troubles"]
    assert (wrong["table"], wrong["what"], wrong["why"]) == (
        "shop.orders",
        "data refused",
        "broken: b",
    )
    assert (told["table"], told["state"], told["version"]) == ("shop.orders", "refused", 1)
    assert told["audit"]["failed"] == 1


def test_status_of_an_empty_lake_says_where_it_looked(settings: Settings, etl: Etl) -> None:
    done = etl("status")
    nothing = {"tables": [], "troubles": [], "runs": [], "lost_runs": []}
    assert (done.returncode, json.loads(etl("status", "--json").stdout)) == (0, nothing)
    assert settings.lake_uri in done.stderr


def test_status_looks_again_until_it_is_interrupted(shop: Platform) -> None:
    # Whoever runs the tests in the background may ignore interrupts, and children inherit that.
    words = ["env", "--default-signal=INT", ETL, "status", "--watch", "0.2"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        looks = (line for line in run.stdout if "Ctrl-C ends" in line)
        next(looks)
        shop.metastore.record_audit("shop.orders", None, "run", "[]", lake=shop.lake.uri)
        next(looks)
        run.send_signal(signal.SIGINT)
        rest = run.stdout.read()
    assert run.returncode == 130
    assert "Traceback" not in rest


def test_a_terminal_gets_colours(shop: Platform) -> None:
    shop.metastore.record_audit("shop.orders", None, "run", "[]", lake=shop.lake.uri)
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120"}
    environment.pop("NO_COLOR", None)
    with subprocess.Popen(
        [ETL, "status"], stdout=follower, stderr=follower, env=environment
    ) as run:
        os.close(follower)
        shown = b""
        while chunk := _read(leader):
            shown += chunk
    os.close(leader)
    assert run.returncode == 0
    assert b"\x1b[1;31mrefused" in shown


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except OSError:
        return b""  # Linux reports the end of a terminal as an error.
