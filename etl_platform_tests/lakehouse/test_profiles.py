from __future__ import annotations

import polars as pl
import pytest

from etl_platform.core.names import TableName
from etl_platform.lakehouse import Lake, Mode
from etl_platform.lakehouse.gate import admit
from etl_platform.quality import Contract

TABLE = TableName("shop", "orders")
EMPTY = Contract()


def orders(first: int, rows: int, month: str = "2013-01") -> pl.DataFrame:
    return pl.DataFrame({"id": range(first, first + rows), "month": [month] * rows})


def load(lake: Lake, data: pl.DataFrame, mode: Mode, month: str | None = None):
    return admit(
        lake,
        TABLE,
        data,
        EMPTY,
        mode=mode,
        partition_by=() if month is None else ("month",),
        partition=None if month is None else {"month": month},
    )


def seen(lake: Lake, version: int | None = None) -> tuple[int, object, object]:
    profile = lake.profile(TABLE, version)
    assert profile is not None
    return profile.rows, profile.column("id").min, profile.column("id").max


def test_a_table_of_partitions_has_the_profile_of_all_of_them_merged(lake):
    for i, month in enumerate(("2013-01", "2013-02", "2013-03")):
        admission = load(lake, orders(i * 100, 10, month), Mode.REPLACE_PARTITION, month)
        assert admission.profile_file is not None
        assert lake.root.store.head(admission.profile_file.removeprefix(f"{lake.uri}/"))
    assert seen(lake) == (30, 0, 209)
    load(lake, orders(900, 5, "2013-02"), Mode.REPLACE_PARTITION, "2013-02")
    assert seen(lake) == (25, 0, 904)
    assert seen(lake, 1) == (20, 0, 109)
    lake.compact(TABLE)
    assert seen(lake) == (25, 0, 904)
    lake.revert(TABLE, 2)
    load(lake, orders(700, 5, "2013-01"), Mode.REPLACE_PARTITION, "2013-01")
    assert seen(lake) == (25, 100, 704)


def test_appends_add_to_the_profile_of_the_table_and_upserts_end_it(lake):
    load(lake, orders(0, 10), Mode.REPLACE)
    load(lake, orders(10, 5), Mode.APPEND)
    assert seen(lake) == (15, 0, 14)
    admit(lake, TABLE, orders(0, 3), EMPTY, mode=Mode.UPSERT, key=("id",))
    assert lake.profile(TABLE) is None
    load(lake, orders(10, 5), Mode.APPEND)
    assert lake.profile(TABLE) is None
    load(lake, orders(5, 5), Mode.REPLACE)
    assert seen(lake) == (5, 5, 9)


def test_a_batch_without_full_profile_leaves_no_file_and_no_wrong_profile(lake):
    load(lake, orders(0, 10), Mode.REPLACE)
    for level in ("basic", "off"):
        found = admit(lake, TABLE, orders(10, 5), EMPTY, mode=Mode.APPEND, profile=level)
        assert found.profile_file is None
        assert found.audit.profile.level == level
    assert lake.profile(TABLE) is None


def test_the_profile_of_kept_rows_is_without_those_in_quarantine(lake):
    contract = Contract.parse(
        {"rules": [{"rule": "range", "column": "id", "min": 3, "action": "quarantine"}]}
    )
    found = admit(lake, TABLE, orders(0, 10), contract)
    assert found.audit.profile.rows == 7
    assert found.audit.profile.score is not None
    parts = {part.name: part.score for part in found.audit.profile.score.parts}
    assert parts["validity"] == pytest.approx(70)
    assert seen(lake) == (7, 3, 9)


def test_vacuum_forgets_profiles_with_the_versions_that_they_are_of(lake):
    for i in range(4):
        load(lake, orders(i * 10, 10), Mode.REPLACE)
    removed = lake.vacuum(TABLE, 0, history_older_than_hours=0)
    assert len([path for path in removed if path.startswith("_profiles")]) == 3
    assert seen(lake) == (10, 30, 39)
