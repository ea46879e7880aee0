"""A lake in a bucket keeps the promises of a lake on disk.

A part of the suites that ``pytest --lake s3`` runs on a bucket as a whole, for every day.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest

from etl_platform.core.errors import EtlError, PermanentError, TransientError
from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse import Lake, Mode
from etl_platform.lakehouse.gate import admit
from etl_platform.lakehouse.published import View, as_staged
from etl_platform.metastore import Metastore
from etl_platform.quality import Contract, ContractViolation
from etl_platform.query import QueryTool
from etl_platform_tests.lakehouse.conftest import ORDERS, stored_files
from etl_platform_tests.lakehouse.test_crash import crash_and_recover, unreferenced
from etl_platform_tests.lakehouse.writer import TABLE
from etl_platform_tests.servers.s3 import S3Server

POSITIVE = {"rules": [{"rule": "range", "column": "price", "min": 0, "action": "quarantine"}]}
UNIQUE = {"rules": [{"rule": "unique", "column": "id"}]}


@pytest.fixture
def machine(s3_server: S3Server, tmp_path: Path) -> Callable[[str], Lake]:
    """``machine(name)`` is the same lake, seen from a machine with files of its own."""
    uri = f"s3://{s3_server.bucket()}/lake"

    def opened(name: str) -> Lake:
        given = {"lake_uri": uri, "temp_dir": str(tmp_path / name), **s3_server.settings()}
        return Lake(settings=Settings.model_validate(given))

    return opened


def batch(*prices: float, first: int = 0) -> pa.Table:
    return pa.table({"id": range(first, first + len(prices)), "price": prices})


def prices(lake: Lake, version: int | None = None) -> list[float]:
    return sorted(lake.scan(ORDERS, version).collect()["price"])


def test_what_one_machine_publishes_every_reader_of_another_sees(
    machine: Callable[[str], Lake], tmp_path: Path
) -> None:
    writer, reader = machine("writer"), machine("reader")
    contract = Contract.model_validate(POSITIVE)
    admission = admit(writer, ORDERS, batch(1.0, -2.0, 3.0), contract, batch="b", profile="full")
    assert admit(writer, ORDERS, batch(1.0, -2.0, 3.0), contract, batch="b").receipt.skipped
    assert reader.names() == [ORDERS, ORDERS.quarantine]
    assert prices(reader) == [1.0, 3.0]
    tool = QueryTool(reader, Metastore.open(f"sqlite:///{tmp_path}/meta.db"))
    joined = "SELECT sum(o.price) + min(q.price) FROM shop.orders o, shop.orders__quarantine q"
    assert tool.run(joined).item() == 2.0
    assert reader.checksum(ORDERS) == writer.checksum(ORDERS)
    profile = reader.profile(ORDERS)
    assert profile is not None
    assert profile.rows == 2
    assert admission.audit.report is not None
    assert admission.profile_file is not None
    for place in (admission.audit.report, admission.profile_file):
        assert reader.root.store.head(place.removeprefix(f"{reader.uri}/")) is not None
    with as_staged(reader.settings, View(machine("third").snapshot(ORDERS))) as (con, staged):
        read = con.execute("SELECT sum(price) FROM read_parquet(?)", [staged.uris]).fetchall()
    assert read == [(4.0,)]


def test_versions_come_back_and_only_what_no_version_needs_goes(
    machine: Callable[[str], Lake],
) -> None:
    writer, other = machine("writer"), machine("other")
    for turn in range(3):
        batch_of = batch(float(turn), 10.0, first=turn * 2)
        writer.publish(writer.stage(ORDERS, batch_of), Mode.APPEND if turn else Mode.REPLACE)
    with pytest.raises(ContractViolation):
        admit(
            writer, ORDERS, batch(5.0, first=1), Contract.model_validate(UNIQUE), mode=Mode.APPEND
        )
    assert prices(other) == [0.0, 1.0, 2.0, 10.0, 10.0, 10.0]
    other.revert(ORDERS, 0)
    assert prices(writer) == [0.0, 10.0]
    writer.publish(writer.stage(ORDERS, batch(7.0, 8.0)), Mode.UPSERT, key=("id",))
    assert prices(other) == [7.0, 8.0]
    other.root.store.put(f"{ORDERS.path}/{'0' * 32}/left.parquet", b"by a crash")
    assert other.vacuum(ORDERS, orphans_older_than_hours=0) == [f"{'0' * 32}/left.parquet"]
    wanted = {file.path for v in range(5) for file in other.files(ORDERS, v)}
    assert stored_files(other, ORDERS) == wanted


def test_commits_of_several_machines_at_once_are_all_kept(machine: Callable[[str], Lake]) -> None:
    def appended(worker: int) -> None:
        lake = machine(f"machine-{worker}")
        for turn in range(3):
            rows = batch(1.0, first=worker * 3 + turn)
            lake.publish(lake.stage(ORDERS, rows), Mode.APPEND)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(appended, range(4)))
    lake = machine("reader")
    assert sorted(lake.scan(ORDERS).collect()["id"]) == list(range(12))
    assert len(stored_files(lake, ORDERS)) == 12


def test_a_killed_publish_is_completed_by_the_next_one_on_s3(
    machine: Callable[[str], Lake], s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = machine("here")
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    # The writer's process takes its settings from the environment.
    monkeypatch.setenv("ETL_TEMP_DIR", lake.settings.temp_dir)
    crash_and_recover(lake, Mode.UPSERT, kills=1, generator=random.Random("on s3"))
    lake.vacuum(TABLE, orphans_older_than_hours=0)
    assert unreferenced(lake) == set()


def test_a_file_that_is_gone_or_replaced_is_told(machine: Callable[[str], Lake]) -> None:
    writer, reader = machine("writer"), machine("reader")
    writer.publish(writer.stage(ORDERS, batch(1.0)))
    (file,) = reader.files(ORDERS)
    key = f"{ORDERS.path}/{file.path}"
    writer.root.store.put(key, b"something else")
    with pytest.raises(PermanentError, match="has not the"):
        reader.relation_sql(ORDERS)
    writer.root.store.delete([key])
    with pytest.raises(TransientError, match="is gone"):
        reader.relation_sql(ORDERS)


def test_a_bucket_that_does_not_answer_publishes_nothing(machine: Callable[[str], Lake]) -> None:
    lake = machine("here")
    table = TableName("shop", "elsewhere")
    nowhere = lake.settings.model_copy(update={"s3_endpoint_url": "http://127.0.0.1:9"})
    away = Lake(settings=nowhere)
    staged = away.stage(table, batch(1.0))
    with pytest.raises(TransientError, match="no answer"):
        away.root.upload(table, staged.files)
    for met, told in (("error sending request", "no answer"), ("403 Forbidden", "not allowed")):
        with pytest.raises(EtlError, match=told), away.root.answering(table):
            raise OSError(met)
    assert not lake.exists(table)
