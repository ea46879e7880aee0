"""Nothing changes data without an entry that says who did it."""

from __future__ import annotations

import getpass
import json
import os
import pwd
import shutil
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from etl_platform.core.errors import UnknownName
from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse import Lake, Mode
from etl_platform.lakehouse.actor import Actor, command_text
from etl_platform.lakehouse.merging import merge_partitions
from etl_platform.lakehouse.reconcile import Reconciliation
from etl_platform.metastore import Metastore
from etl_platform.monitoring.audit import Kept, audit_trail

ORDERS, DAYS = TableName("shop", "orders"), TableName("shop", "days")


@pytest.fixture
def lake(settings: Settings) -> Lake:
    return Lake(settings=settings)


@pytest.fixture
def records(settings: Settings) -> Metastore:
    return Metastore.open(settings.metastore_url)


def orders(*ids: int, **columns: object) -> pl.DataFrame:
    return pl.DataFrame({"id": list(ids), "n": [1] * len(ids), **columns})


def publish(lake: Lake, table: TableName, rows: pl.DataFrame, mode: Mode, **options: Any) -> None:
    by = ("day",) if table == DAYS else ()
    lake.publish(lake.stage(table, rows, by), mode, run_id="run-1", **options)


def one_of_everything(lake: Lake) -> None:
    """Every mode of a publication, and whatever else commits."""
    publish(lake, ORDERS, orders(1, 2), Mode.REPLACE)
    publish(lake, ORDERS, orders(3), Mode.APPEND)
    publish(lake, ORDERS, orders(3, 4), Mode.UPSERT, key=("id",))
    publish(lake, ORDERS, orders(5, note="new"), Mode.APPEND)  # adds a column first
    publish(
        lake, ORDERS, orders(6, note="", at=datetime(2026, 1, 1)), Mode.APPEND
    )  # and a table feature
    lake.compact(ORDERS)
    left = pa.table({"id": [1, 2, 3]})
    how = Reconciliation(("id",), "hard", datetime(2026, 1, 1, tzinfo=UTC), max_share=1.0)
    lake.reconcile(lake.snapshot(ORDERS), left, how)
    lake.revert(ORDERS, 0)
    publish(lake, ORDERS.quarantine, orders(9), Mode.APPEND)
    for day in ("a", "b"):
        rows = orders(1, day=day)
        publish(lake, DAYS, rows, Mode.REPLACE_PARTITION, partition={"day": day})
    merge_partitions(lake, DAYS, "day", ("a", "b"), "ab")
    # As a tool that knows nothing of the platform does it.
    lake.snapshot(ORDERS).delta.delete("id = 1")


def versions(lake: Lake, table: TableName) -> list[int]:
    """The versions of a table by the files of its log, without the platform's reading of it."""
    log = Path(lake.root.uri, table.path, "_delta_log")
    return sorted(int(file.stem) for file in log.glob("*.json"))


def test_every_version_of_every_table_has_one_entry(lake: Lake, records: Metastore) -> None:
    if not lake.root.is_folder:
        pytest.skip("the log's files are counted in a folder")
    one_of_everything(lake)
    found = audit_trail(lake, records)
    for table in lake.names():
        mine = sorted(one.version_after for one in found if one.table == table.sql)
        assert mine == versions(lake, table), table
    assert {one.change for one in found} >= {
        "replace", "append", "upsert", "compact", "reconcile", "revert", "replace_partition",
        "add column", "delete",
    }  # fmt: skip


def test_an_entry_names_account_host_process_and_run(lake: Lake, records: Metastore) -> None:
    one_of_everything(lake)
    user = pwd.getpwuid(os.geteuid()).pw_name
    foreign = [one for one in audit_trail(lake, records) if one.actor is None]
    assert [one.change for one in foreign] == ["delete"]
    for one in audit_trail(lake, records, DAYS):
        assert one.actor is not None
        assert (one.actor.user, one.actor.host) == (user, socket.gethostname())
        assert one.actor.pid == os.getpid()
        assert one.run_id == "run-1" or one.change == "compact"


def test_the_environment_cannot_name_another_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "mallory")
    assert getpass.getuser() == "mallory"
    assert Actor.present().user != "mallory"


def test_a_command_is_kept_short_and_without_secrets() -> None:
    assert command_text(["/bin/etl", "revert", "a.b", "--to", "3"]) == "etl revert a.b --to 3"
    assert command_text(["/x/dagster/__main__.py", "api", '{"a": 1}']) == "dagster api ..."
    assert "hunter22" not in command_text(["etl", "add", "postgresql://u:hunter22@h/db"])
    assert command_text(["load.py", "--db-password", "x1", "a"]) == "load.py --db-password *** a"
    assert len(command_text(["etl", "x" * 1000])) == 200
    assert command_text([]) == ""


def test_a_removed_folder_is_still_told_of(lake: Lake, records: Metastore) -> None:
    if not lake.root.is_folder:
        pytest.skip("a folder is removed")
    receipt = lake.publish(lake.stage(ORDERS, orders(1)))
    records.record_receipt(receipt.to_record(lake.uri))
    [before] = audit_trail(lake, records)
    shutil.rmtree(Path(lake.root.uri, ORDERS.path))
    for table in (None, ORDERS):
        [after] = audit_trail(lake, records, table)
        assert (before.kept, after.kept) == (Kept.LOG, Kept.GONE)
        assert (after.version_after, after.change) == (0, "replace")
        assert after.receipt is not None
        assert after.receipt.rows_inserted == 1


def test_newest_first_within_a_limit_and_since_a_moment(lake: Lake, records: Metastore) -> None:
    one_of_everything(lake)
    every = audit_trail(lake, records)
    assert [one.at for one in every] == sorted((one.at for one in every), reverse=True)
    assert audit_trail(lake, records, limit=3) == every[:3]
    cut = every[4].at
    since = audit_trail(lake, records, since=cut)
    assert since == tuple(one for one in every if one.at >= cut)
    assert audit_trail(lake, records, since=every[0].at + timedelta(seconds=1)) == ()


def test_a_table_that_never_was_is_an_error(lake: Lake, records: Metastore) -> None:
    publish(lake, ORDERS, orders(1), Mode.REPLACE)
    with pytest.raises(UnknownName, match=r"shop\.orders"):
        audit_trail(lake, records, TableName("shop", "order"))


def test_a_commit_of_an_older_release_has_no_actor() -> None:
    from etl_platform.lakehouse.receipt import commit_of

    old = commit_of({"version": 3, "timestamp": 0, "operation": "WRITE"})
    assert old.actor is None
    actor = Actor("ada", "box", "etl revert a.b --to 3", 7)
    assert Actor.from_json(json.dumps(json.loads(actor.to_json()))) == actor
