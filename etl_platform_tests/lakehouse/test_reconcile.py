"""Keys of a source against those of a table."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from etl_platform.core.errors import ConcurrentWrite
from etl_platform.core.names import TableName
from etl_platform.lakehouse import Lake, Mode
from etl_platform.lakehouse.reconcile import Reconciliation, TooManyMissing

TABLE = TableName("shop", "orders")
HARD = Reconciliation(("id", "part"), "hard", datetime(2024, 1, 1, tzinfo=UTC))


def publish(lake: Lake, *keys: tuple[int, str], annotations: dict[str, str] | None = None) -> None:
    rows = pa.table(
        {"id": [k[0] for k in keys], "part": [k[1] for k in keys], "n": [0] * len(keys)}
    )
    staged = lake.stage(TABLE, rows)
    lake.publish(staged, Mode.UPSERT, key=("id", "part"), annotations=annotations)


def keys(*found: tuple[int, str]) -> pa.Table:
    return pa.table(
        {"id": pa.array([k[0] for k in found], pa.int32()), "part": [k[1] for k in found]}
    )


def test_only_files_with_missing_rows_are_written_again_and_annotations_stay(lake: Lake) -> None:
    publish(lake, (1, "a"), (1, "b"), annotations={"watermark:n": "0"})
    publish(lake, (2, "a"))
    untouched = lake.files(TABLE)
    receipt, missing = lake.reconcile(
        lake.snapshot(TABLE), keys((1, "b"), (2, "a"), (9, "z")), HARD
    )
    assert (missing.missing, missing.returned, missing.source_keys) == (1, 0, 3)
    assert (receipt.rows_deleted, receipt.rows_total, receipt.files_removed) == (1, 2, 1)
    assert len({f.path for f in untouched} & {f.path for f in lake.files(TABLE)}) == 1
    rows = lake.scan(TABLE).collect().select("id", "part").rows()
    assert sorted(rows) == [(1, "b"), (2, "a")]
    assert lake.annotation(TABLE, "watermark:n") == "0"
    assert lake.annotation(TABLE, "reconciled") == "2024-01-01T00:00:00+00:00"


def test_a_row_that_comes_back_with_another_writers_commit_is_not_removed(lake: Lake) -> None:
    publish(lake, (1, "a"), (2, "a"))
    before = lake.snapshot(TABLE)
    publish(lake, (2, "a"))
    with pytest.raises(ConcurrentWrite):
        lake.reconcile(before, keys((1, "a")), HARD)
    assert lake.info(TABLE).rows == 2


def test_more_missing_rows_than_allowed_change_nothing(lake: Lake) -> None:
    publish(lake, (1, "a"), (2, "a"), (3, "a"))
    with pytest.raises(TooManyMissing, match="2 of 3 rows"):
        lake.reconcile(lake.snapshot(TABLE), keys((1, "a")), HARD)
    assert lake.version(TABLE) == 0
