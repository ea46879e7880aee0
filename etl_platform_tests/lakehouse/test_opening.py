"""A table is read anew when, and only when, there is something new to read."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest

from etl_platform.core.errors import UnknownName
from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse import Lake, Mode, opening

TABLE = TableName("shop", "orders")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(settings=Settings(lake_uri=str(tmp_path / "lake"), temp_dir=str(tmp_path)))


def add(lake: Lake, *values: int) -> None:
    lake.publish(lake.stage(TABLE, pl.DataFrame({"id": values})), Mode.APPEND)


def test_the_newest_version_is_read_once(lake: Lake) -> None:
    add(lake, 1)
    first = lake.find(TABLE)
    assert first is not None
    assert lake.find(TABLE) is first
    assert Lake(settings=lake.settings).snapshot(TABLE) is first


def test_a_commit_of_anybody_gives_a_new_one_and_leaves_the_old_as_it_was(lake: Lake) -> None:
    add(lake, 1)
    before = lake.snapshot(TABLE)
    add(lake, 2)
    after = lake.snapshot(TABLE)
    assert (before.version, before.rows, before.delta.version()) == (0, 1, 0)
    assert (after.version, after.rows) == (1, 2)
    lake.compact(TABLE)
    lake.revert(TABLE, 0)
    assert (after.version, len(after.files), after.delta.version()) == (1, 2, 1)
    assert lake.snapshot(TABLE).rows == 1
    assert [lake.snapshot(TABLE, version).rows for version in range(4)] == [1, 2, 2, 1]


def test_a_table_that_was_removed_is_not_there(lake: Lake) -> None:
    add(lake, 1)
    assert lake.exists(TABLE)
    shutil.rmtree(f"{lake.uri}/{TABLE.path}")
    assert lake.find(TABLE) is None


def test_a_table_that_was_made_anew_is_another_one(lake: Lake) -> None:
    add(lake, 1)
    add(lake, 2)
    old = lake.snapshot(TABLE)
    shutil.rmtree(f"{lake.uri}/{TABLE.path}")
    add(lake, 7)
    add(lake, 8, 9)
    new = lake.snapshot(TABLE)
    assert new.version == old.version
    assert (old.rows, new.rows) == (2, 3)


def test_a_version_that_is_not_there_is_told_with_those_that_are(lake: Lake) -> None:
    add(lake, 1)
    with pytest.raises(UnknownName, match="0"):
        lake.snapshot(TABLE, 3)
    add(lake, 2)
    assert lake.snapshot(TABLE, 1).rows == 2


def test_a_lake_by_a_relative_path_is_that_of_the_folder_where_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = []
    for name, values in (("a", (1,)), ("b", (1, 2))):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        lake = Lake(settings=Settings(lake_uri="lake", temp_dir=str(tmp_path)))
        add(lake, *values)
        rows.append(lake.snapshot(TABLE).rows)
    assert rows == [1, 2]


def test_readers_side_by_side_never_see_an_older_version_than_one_they_saw(lake: Lake) -> None:
    add(lake, 0)

    def read(_: int) -> bool:
        seen = [lake.snapshot(TABLE) for _ in range(100)]
        versions = [one.version for one in seen]
        return versions == sorted(versions) and all(one.rows == one.version + 1 for one in seen)

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read, n) for n in range(3)]
        for value in range(1, 15):
            add(lake, value)
        assert all(reader.result() for reader in readers)
    assert lake.snapshot(TABLE).version == 14


def test_only_so_much_is_kept_and_the_least_used_goes_first(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = [TableName("shop", f"t{n}") for n in range(4)]
    for table in tables:
        lake.publish(lake.stage(table, pl.DataFrame({"id": [1]})), Mode.APPEND)
    newest = opening._Newest()
    monkeypatch.setattr(opening, "_NEWEST", newest)
    # A table of one file and one column is four values.
    monkeypatch.setattr(opening, "_MOST_VALUES", 12)
    first, second, third, fourth = tables
    kept = lake.snapshot(first)
    for table in (second, third, first, fourth):
        lake.snapshot(table)
    assert newest._values == 12
    assert lake.snapshot(first) is kept
    monkeypatch.setattr(opening, "_MOST_VALUES", 3)
    lake.publish(lake.stage(second, pl.DataFrame({"id": [2]})), Mode.APPEND)
    assert lake.snapshot(second).rows == 2
    assert newest._values == 0
