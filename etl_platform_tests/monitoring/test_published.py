"""How tables stand, told from receipts, is how they stand."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from etl_platform import Platform
from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse import Mode
from etl_platform.lakehouse.gate import admit
from etl_platform.lakehouse.lake import Lake
from etl_platform.monitoring.published import Published, published
from etl_platform.quality import Contract

ORDERS, PEOPLE = TableName("shop", "orders"), TableName("shop", "people")


def load(platform: Platform, table: TableName, ids: list[int | None], mode: Mode) -> None:
    rules = {"rules": [{"rule": "not_null", "column": "id", "action": "quarantine"}]}
    data = pa.table({"id": pa.array(ids, pa.int64())})
    key = ("id",) if mode is Mode.UPSERT else ()
    contract = Contract.model_validate(rules)
    admit(platform.lake, table, data, contract, mode=mode, key=key, metastore=platform.metastore)


def opened(platform: Platform) -> dict[TableName, Published]:
    """The same from the tables' own logs."""
    return {
        one.name: Published(one.version, one.rows, one.size_bytes, one.updated_at)
        for one in platform.lake.tables()
    }


def same(platform: Platform) -> None:
    told, known = published(platform.lake, platform.metastore), opened(platform)
    assert told.keys() == known.keys()
    for name, one in known.items():
        found = told[name]
        assert (found.version, found.rows, found.size_bytes) == (
            one.version,
            one.rows,
            one.size_bytes,
        ), name
        assert abs((found.updated_at - one.updated_at).total_seconds()) < 2


def test_every_kind_of_change_is_told_as_the_logs_have_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = Platform.open(settings)
    looked: list[TableName] = []
    info = Lake.info
    monkeypatch.setattr(Lake, "info", lambda lake, name: looked.append(name) or info(lake, name))
    load(platform, ORDERS, [1, 2, None], Mode.REPLACE)
    load(platform, ORDERS, [3, None], Mode.APPEND)
    load(platform, ORDERS, [3, 4], Mode.UPSERT)
    load(platform, PEOPLE, [1], Mode.REPLACE)
    told = published(platform.lake, platform.metastore)
    assert told[ORDERS].rows == 4
    assert PEOPLE not in looked  # from its receipt alone
    same(platform)
    platform.revert("shop.orders", 0)
    same(platform)
    # Another tool's commit, which no receipt tells of.
    DeltaTable(f"{platform.lake.uri}/shop/people").delete()
    same(platform)
    assert published(platform.lake, platform.metastore)[PEOPLE].rows == 0
    # A table that was removed and made again, with as many commits as a receipt knows.
    shutil.rmtree(Path(platform.lake.uri, "shop", "orders"))
    lake = platform.lake
    for _ in range(4):
        lake.publish(lake.stage(ORDERS, pa.table({"id": [7]})), Mode.APPEND)
    for log in Path(lake.uri, "shop", "orders", "_delta_log").glob("*.json"):
        os.utime(log, (1_000_000_000, 1_000_000_000))
    assert published(lake, platform.metastore)[ORDERS].rows == 4
    same_rows = {name: one.rows for name, one in opened(platform).items()}
    assert {n: o.rows for n, o in published(lake, platform.metastore).items()} == same_rows
