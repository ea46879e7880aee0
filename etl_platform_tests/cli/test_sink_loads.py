"""``etl receipts`` and ``etl revert`` of a database that a sink loads."""

from __future__ import annotations

import json
import sqlite3
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse import Lake, Mode
from etl_platform.sinks.database import DatabaseSink, Load, LoadMode, Target, rows_of
from etl_platform.sources.database import Database
from etl_platform_tests.cli.conftest import Etl

ORDERS = TableName("shop", "orders")


@pytest.fixture
def warehouse(settings: Settings, tmp_path: Path) -> Path:
    """A file whose table ``orders`` was loaded twice; only the second load can be undone."""
    lake = Lake(settings.lake_uri, settings)
    path = tmp_path / "warehouse.db"
    sink = DatabaseSink(Database("warehouse", f"sqlite:///{path}"))
    for batch, ids, kept in (("one", [1, 2], None), ("two", [2, 3], timedelta(days=7))):
        data = pa.table({"id": ids, "note": [f"{batch} {i}" for i in ids]})
        lake.publish(lake.stage(ORDERS, data), Mode.REPLACE)
        load = Load(Target("orders"), LoadMode.UPSERT, batch, ("id",), kept)
        sink.load(rows_of(lake, ORDERS), load)
    return path


def notes(path: Path) -> list[str]:
    con = sqlite3.connect(path)
    found = [row[0] for row in con.execute("SELECT note FROM orders ORDER BY id")]
    con.close()
    return found


def test_the_loads_of_a_table_are_listed_and_the_newest_is_taken_back(
    warehouse: Path, etl: Etl
) -> None:
    uri = f"sqlite:///{warehouse}"
    listed = etl("receipts", "orders", "--in", uri, "--json")
    assert listed.returncode == 0, listed.stderr
    loads = json.loads(listed.stdout)
    assert [(one["batch"], one["rows_updated"], one["revertible"]) for one in loads] == [
        ("two", 1, True),
        ("one", 0, False),
    ]
    assert notes(warehouse) == ["one 1", "two 2", "two 3"]
    undone = etl("revert", "main.orders", "--in", uri, "--batch", "two")
    assert undone.returncode == 0, undone.stderr
    assert "load 'two' is undone, 1 rows put back, 2 rows taken away" in undone.stdout
    assert notes(warehouse) == ["one 1", "one 2"]
    shown = etl("receipts", "orders", "--in", uri)
    assert "undone" in shown.stdout


def test_a_load_without_a_before_image_stays(warehouse: Path, etl: Etl) -> None:
    uri = f"sqlite:///{warehouse}"
    refused = etl("revert", "orders", "--in", uri, "--batch", "one")
    assert refused.returncode == 1
    assert "not the newest load" in refused.stderr
    assert notes(warehouse) == ["one 1", "two 2", "two 3"]


def test_asking_for_loads_makes_nothing_in_the_database(tmp_path: Path, etl: Etl) -> None:
    path = tmp_path / "empty.db"
    listed = etl("receipts", "orders", "--in", f"sqlite:///{path}", "--json")
    assert (listed.returncode, json.loads(listed.stdout)) == (0, [])
    con = sqlite3.connect(path)
    assert con.execute("SELECT count(*) FROM sqlite_master").fetchall() == [(0,)]
    con.close()


@pytest.mark.parametrize("options", [[], ["--to", "1", "--in", "env://NOWHERE"]])
def test_a_revert_says_what_is_put_back(options: list[str], etl: Etl) -> None:
    refused = etl("revert", "shop.orders", *options)
    assert refused.returncode == 2
    assert "either --to" in refused.stderr
