"""``etl engines`` shows decisions, and ``etl inspect`` what a database offers."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from etl_platform import Platform
from etl_platform.core.settings import Settings
from etl_platform.selection import (
    Capabilities,
    Degradation,
    EngineFault,
    Measurement,
    Selector,
    Work,
    attempts,
)
from etl_platform_tests.cli.conftest import Etl
from etl_platform_tests.cli.test_etl import process


@pytest.fixture
def decided(settings: Settings) -> None:
    """``shop.orders`` read by a second engine after the first failed, and another table."""
    selector = Selector(Platform.open(settings).metastore)
    kinds = frozenset({"postgresql"})
    offered = [
        Capabilities("copy", kinds, lossless=True, streaming=True, prior_rows_per_s=6e5),
        Capabilities("sqlalchemy", kinds, lossless=True, streaming=True),
        Capabilities(
            "connectorx", kinds, lossless=False, streaming=True,
            degrades=(Degradation("price", "rounds to 10 decimals"),),
        ),
    ]  # fmt: skip
    work = Work("postgresql", "shop.orders", "int:1", 1_200_000)
    for attempt in attempts(selector, work, offered):
        with attempt:
            if attempt.decision.engine == "copy":
                raise EngineFault("copy", "panicked \x1b[2J")
            attempt.finish(1_200_000)
    other = selector.choose(Work("postgresql", "shop.items", "int:9", 10), offered)
    selector.record(other, Measurement(10, 0.5))


def test_decisions_are_shown_newest_first_with_their_reasons(decided: None) -> None:
    done = process("engines")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert [line.split()[2:5] for line in lines[2:]] == [
        ["shop.items", "copy", "done"],
        ["shop.orders", "sqlalchemy", "done"],
        ["shop.orders", "copy", "engine_fault"],
    ]
    assert "fallback, because copy failed by its own fault (panicked \\x1b[2J)" in lines[3]
    assert "\x1b" not in done.stdout


def test_a_tables_newest_decision_names_every_engine_and_why_not(decided: None, etl: Etl) -> None:
    done = etl("engines", "shop.orders")
    assert "shop.items" not in done.stdout
    assert "would degrade 'price': rounds to 10 decimals" in done.stdout
    assert "failed in this run" in done.stdout


def test_json_has_the_whole_decision(decided: None, etl: Etl) -> None:
    newest = json.loads(etl("engines", "shop.orders", "--json").stdout)[0]
    assert (newest["engine"], newest["attempt"], newest["fell_back_from"]) == (
        "sqlalchemy", 2, "copy",
    )  # fmt: skip
    assert newest["predicted_s"] == 12.0
    assert newest["candidates"][0]["basis"] == "prior"
    assert {one["engine"] for one in newest["rejected"]} == {"copy", "connectorx"}


def test_without_decisions_the_next_step_is_told(settings: Settings, etl: Etl) -> None:
    done = etl("engines")
    assert done.returncode == 0
    assert "no engine was chosen yet" in done.stderr


@pytest.fixture
def shop(tmp_path: Path) -> str:
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as con:
        con.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, updated_at TIMESTAMP, raw)")
    con.close()
    return f"sqlite:///{path}"


def test_inspect_shows_tables_cursors_and_risks(
    shop: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_URL", shop)
    done = process("inspect", "env://SHOP_URL")
    assert done.returncode == 0
    assert "updated_at*, id+" in done.stdout
    assert "declares no type" in done.stdout
    assert "1 table in env://SHOP_URL" in done.stderr
    (table,) = json.loads(process("inspect", shop, "--json").stdout)
    assert table["cursors"][0]["sees"] == "changes"
    assert not Path(settings.lake_uri).exists()


def test_inspect_takes_no_password_on_the_command_line(settings: Settings, etl: Etl) -> None:
    done = etl("inspect", "postgresql://etl:hunter2@127.0.0.1/shop")
    assert done.returncode == 1
    assert "hunter2" not in done.stderr
    assert "env://" in done.stderr
