"""Ledgers of tables: each follows the one that its load went on from, or nothing is published."""

from __future__ import annotations

import pyarrow as pa
import pytest

from etl_platform.components.file_source.known_files import LEDGER_NOTE, KnownFiles
from etl_platform.core.errors import ConcurrentWrite
from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse import Lake, Mode
from etl_platform.sources.files.ledger import Entry, read_ledger

TABLE = TableName("shop", "orders")


@pytest.fixture
def lake(settings: Settings) -> Lake:
    return Lake(settings=settings)


def entry(key: str, part: str | None = None) -> Entry:
    return Entry(key, "1", 10, 1, None, part)


def load(lake: Lake, known: KnownFiles, *keys: str, part: str | None = None) -> None:
    """Publish a row for each object, and the ledger with them."""
    entries = [entry(key, part) for key in keys]
    rows = pa.table({"_file": keys, "part": [part or "-"] * len(keys)})
    lake.publish(
        lake.stage(TABLE, rows, ("part",)),
        Mode.APPEND if part is None else Mode.REPLACE_PARTITION,
        partition=None if part is None else {"part": part},
        annotate=lambda before: (
            known.follow(before, entries, ())
            if part is None
            else known.follow_in_part(before, entries, part)
        ),
    )


def known_keys(lake: Lake) -> list[str]:
    with KnownFiles.open(lake, TABLE) as known:
        return [one.key for one in read_ledger(known.path)]


def test_of_two_loads_that_go_on_from_the_same_ledger_one_is_published(lake: Lake) -> None:
    with KnownFiles.open(lake, TABLE) as first, KnownFiles.open(lake, TABLE) as second:
        load(lake, first, "a")
        with pytest.raises(ConcurrentWrite):
            load(lake, second, "a", "b")
    with KnownFiles.open(lake, TABLE) as first, KnownFiles.open(lake, TABLE) as second:
        load(lake, first, "b")
        with pytest.raises(ConcurrentWrite):
            load(lake, second, "b")
    assert known_keys(lake) == ["a", "b"]
    assert lake.snapshot(TABLE).rows == 2


def test_loads_of_different_partitions_do_not_stand_in_each_others_way(lake: Lake) -> None:
    with KnownFiles.open(lake, TABLE) as first, KnownFiles.open(lake, TABLE) as second:
        load(lake, first, "n/a", "n/b", part="n")
        load(lake, second, "s/a", part="s")
    assert known_keys(lake) == ["n/a", "n/b", "s/a"]
    with KnownFiles.open(lake, TABLE) as first, KnownFiles.open(lake, TABLE) as second:
        load(lake, second, "s/b", part="s")
        load(lake, first, "n/b", "n/c", part="n")
    assert known_keys(lake) == ["n/b", "n/c", "s/b"]


def test_a_revert_brings_back_what_was_known_then(lake: Lake) -> None:
    for key in ("a", "b"):
        with KnownFiles.open(lake, TABLE) as known:
            load(lake, known, key)
    lake.revert(TABLE, 0)
    assert known_keys(lake) == ["a"]
    with KnownFiles.open(lake, TABLE) as known:
        load(lake, known, "b")
    assert known_keys(lake) == ["a", "b"]
    assert lake.snapshot(TABLE).rows == 2
    assert lake.annotation(TABLE, LEDGER_NOTE) is not None
