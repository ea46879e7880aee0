"""What a run decides to do, with its reason, and what happens when two of them meet."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from etl_platform.core.errors import ConcurrentWrite
from etl_platform.core.names import TableName
from etl_platform.lakehouse import Lake, Mode
from etl_platform.transforms.incremental.refresh import Kind
from etl_platform.transforms.incremental.subject import Subject
from etl_platform_tests.transforms.incremental.test_equal_to_full import settings
from etl_platform_tests.transforms.incremental.world import (
    ORDERS,
    decided,
    differences,
    publish,
    renew,
)

MART = TableName("mart", "orders")
ROWS = Subject(MART, "SELECT k, v * 2 AS w FROM src.orders WHERE v > 0", incremental=True)
SUMS = Subject(MART, "SELECT k, sum(v) AS w FROM src.orders GROUP BY k", incremental=True)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(settings=settings(tmp_path))
    put(lake, list(range(20)), mode=Mode.REPLACE)
    return lake


def put(lake: Lake, k: list[int], v: int = 1, mode: Mode = Mode.APPEND) -> None:
    rows = pa.table({"k": pa.array(k, pa.int64()), "v": pa.array([v] * len(k), pa.int64())})
    lake.publish(lake.stage(ORDERS, rows), mode)


def test_two_runs_that_saw_the_same_do_not_add_rows_twice(lake: Lake) -> None:
    renew(lake, ROWS)
    put(lake, [30])
    first, second = decided(lake, ROWS), decided(lake, ROWS)
    assert first.kind is second.kind is Kind.NEW_ROWS
    publish(lake, ROWS, first)
    with pytest.raises(ConcurrentWrite, match="another run has renewed the table"):
        publish(lake, ROWS, second)
    assert renew(lake, ROWS)[0] is Kind.NOTHING
    assert not differences(lake, ROWS)


def test_a_run_that_died_before_its_commit_is_done_again(lake: Lake) -> None:
    renew(lake, SUMS)
    put(lake, [3])
    decided(lake, SUMS)
    assert renew(lake, SUMS) == (Kind.KEYS, "1 values of k in src.orders changed")
    assert not differences(lake, SUMS)


def test_most_rows_are_renewed_with_all_others(lake: Lake) -> None:
    renew(lake, SUMS)
    put(lake, list(range(12)))
    assert renew(lake, SUMS) == (Kind.FULL, "12 of 20 rows would have to be renewed")


def test_rows_written_again_and_columns_that_are_not_read_change_nothing(lake: Lake) -> None:
    renew(lake, SUMS)
    rows = lake.scan(ORDERS).collect().to_arrow()
    lake.publish(lake.stage(ORDERS, rows.append_column("more", rows["v"])), schema_change="any")
    why = "no row of the inputs changed in a column that is read"
    assert renew(lake, SUMS) == (Kind.NEW_ROWS, why)
    assert renew(lake, SUMS)[0] is Kind.NOTHING


def test_what_cannot_be_compared_any_more_is_computed_in_full(lake: Lake) -> None:
    renew(lake, SUMS)
    put(lake, [1], mode=Mode.REPLACE)
    gone = {file.uri for file in lake.files(ORDERS, 0)} - {f.uri for f in lake.files(ORDERS)}
    for uri in gone:
        Path(uri).unlink()
    assert renew(lake, SUMS) == (Kind.FULL, "src.orders: files of version 0 were vacuumed")
    shutil.rmtree(Path(lake.uri) / ORDERS.path)
    put(lake, [1, 2], mode=Mode.REPLACE)
    put(lake, [1, 2])
    assert renew(lake, SUMS) == (Kind.FULL, "src.orders was made again")
    assert not differences(lake, SUMS)


def test_a_reverted_table_goes_on_from_what_it_was(lake: Lake) -> None:
    renew(lake, SUMS)
    put(lake, [3])
    renew(lake, SUMS)
    lake.revert(MART, 0)
    assert renew(lake, SUMS)[0] is Kind.KEYS
    assert not differences(lake, SUMS)


def test_a_value_that_only_rows_left_out_cannot_give_fails_no_run(lake: Lake) -> None:
    texts = TableName("src", "texts")
    model = Subject(
        TableName("mart", "numbers"),
        "SELECT t::INTEGER AS n, count(*) AS c FROM src.texts WHERE t <> 'x' GROUP BY ALL",
        incremental=True,
    )
    for values in (["1", "2", "3", "x"], ["3", "x"]):
        lake.publish(lake.stage(texts, pa.table({"t": values})), Mode.APPEND)
        kind, _ = renew(lake, model)
    assert kind is Kind.KEYS
    assert not differences(lake, model)
