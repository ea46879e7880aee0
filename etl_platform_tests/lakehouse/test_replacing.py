"""Rows of given values go when a batch comes, in one commit, and annotations that follow others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etl_platform.core.errors import ConcurrentWrite, ConfigError, UnknownName
from etl_platform.lakehouse import Lake, Mode, Receipt
from etl_platform.lakehouse.attachments import annotation, attach, attached, fetch
from etl_platform.lakehouse.gate import admit
from etl_platform.lakehouse.replacing import Keys, Replaced, ReplacedKeys
from etl_platform.quality import Contract, ContractViolation
from etl_platform_tests.lakehouse.conftest import ORDERS


def batch(**rows: list[int]) -> pa.Table:
    """Rows by their file."""
    pairs = [(name, n) for name, numbers in rows.items() for n in numbers]
    names, numbers = zip(*pairs, strict=True) if pairs else ((), ())
    return pa.table({"id": pa.array(numbers, pa.int32()), "_file": pa.array(names, pa.string())})


def of(folder: Path, *names: str, column: str = "_file") -> Replaced:
    path = folder / "replaced.parquet"
    pq.write_table(pa.table({column: pa.array(names, pa.string())}), path)
    return Replaced(column, str(path))


def rows(lake: Lake) -> list[tuple[object, ...]]:
    return sorted(lake.scan(ORDERS).collect().rows())


@pytest.fixture
def three_files(lake: Lake) -> Lake:
    for name, numbers in {"a": [1, 2], "b": [3], "c": [4, 5]}.items():
        lake.publish(lake.stage(ORDERS, batch(**{name: numbers})), Mode.APPEND)
    return lake


def replace(lake: Lake, data: pa.Table, replaced: Replaced | None) -> Receipt:
    return lake.publish(lake.stage(ORDERS, data), Mode.REPLACE_ROWS, replaced=replaced)


def test_rows_of_given_files_go_and_new_ones_come(three_files: Lake, tmp_path: Path) -> None:
    before = {file.path for file in three_files.files(ORDERS)}
    receipt = replace(three_files, batch(a=[9], d=[10, 11]), of(tmp_path, "a", "d"))
    assert rows(three_files) == [(3, "b"), (4, "c"), (5, "c"), (9, "a"), (10, "d"), (11, "d")]
    assert (receipt.rows_inserted, receipt.rows_deleted, receipt.rows_total) == (3, 2, 6)
    # The files that hold nothing of them stay as they are.
    assert len(before & {file.path for file in three_files.files(ORDERS)}) == 2


def test_rows_within_larger_files_go_too(three_files: Lake, tmp_path: Path) -> None:
    three_files.compact(ORDERS)
    receipt = replace(three_files, batch(), of(tmp_path, "a", "c", "nothing"))
    assert rows(three_files) == [(3, "b")]
    assert (receipt.rows_deleted, receipt.files_removed, receipt.files_added) == (4, 1, 1)


def keys(folder: Path, name: str, data: dict[str, list[object]], nulls: bool = True) -> Keys:
    path = folder / f"{name}.parquet"
    pq.write_table(pa.table(data), path)
    return Keys(tuple(data), str(path), nulls)


def test_rows_go_by_keys_of_several_columns(three_files: Lake, tmp_path: Path) -> None:
    before = {file.path for file in three_files.files(ORDERS)}
    gone = ReplacedKeys(
        (
            keys(tmp_path, "both", {"id": [1, 4, 5], "_file": ["a", "c", "z"]}, nulls=False),
            keys(tmp_path, "file", {"_file": ["a", "nothing"]}, nulls=False),
        )
    )
    receipt = three_files.publish(
        three_files.stage(ORDERS, batch(d=[9])), Mode.REPLACE_ROWS, replaced=gone
    )
    assert rows(three_files) == [(3, "b"), (5, "c"), (9, "d")]
    assert (receipt.rows_inserted, receipt.rows_deleted, receipt.rows_total) == (1, 3, 3)
    assert len(before & {file.path for file in three_files.files(ORDERS)}) == 1


def test_a_key_of_null_is_that_of_rows_with_null(three_files: Lake, tmp_path: Path) -> None:
    data = pa.table({"id": pa.array([None, 6], pa.int64()), "_file": ["n", "n"]})
    three_files.publish(three_files.stage(ORDERS, data), Mode.APPEND)
    gone = ReplacedKeys((keys(tmp_path, "null", {"id": [None, 3]}),))
    replace_keys = three_files.stage(ORDERS, batch())
    receipt = three_files.publish(replace_keys, Mode.REPLACE_ROWS, replaced=gone)
    assert receipt.rows_deleted == 2
    assert rows(three_files) == [(1, "a"), (2, "a"), (4, "c"), (5, "c"), (6, "n")]


def test_new_and_wider_columns_come_with_a_replacement(three_files: Lake, tmp_path: Path) -> None:
    data = pa.table({"id": [1 << 40], "_file": ["a"], "more": ["x"]})
    replace(three_files, data, of(tmp_path, "a"))
    found = sorted(three_files.scan(ORDERS).collect().rows(), key=repr)
    assert found == [(1 << 40, "a", "x"), (3, "b", None), (4, "c", None), (5, "c", None)]


def test_what_is_replaced_has_to_be_said(three_files: Lake, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not a way to publish"):
        replace(three_files, batch(a=[1]), None)
    with pytest.raises(UnknownName, match="no_column"):
        replace(three_files, batch(a=[1]), of(tmp_path, "a", column="no_column"))


def test_uniqueness_is_judged_without_the_rows_that_go(three_files: Lake, tmp_path: Path) -> None:
    contract = Contract.parse({"rules": [{"rule": "unique", "column": "id"}]}, "test")
    replaced = of(tmp_path, "a")
    admit(three_files, ORDERS, batch(a=[1, 2]), contract, mode=Mode.REPLACE_ROWS, replaced=replaced)
    with pytest.raises(ContractViolation):
        admit(
            three_files, ORDERS, batch(a=[3]), contract, mode=Mode.REPLACE_ROWS, replaced=replaced
        )


def test_an_annotation_can_follow_that_of_the_version_before(three_files: Lake) -> None:
    seen: list[Mapping[str, str]] = []

    def count(before: Mapping[str, str]) -> dict[str, str]:
        seen.append(before)
        if len(seen) == 1:
            # Another writer is faster.
            three_files.publish(
                three_files.stage(ORDERS, batch(x=[7])), Mode.APPEND, annotations={"n": "5"}
            )
        return {"n": str(int(before.get("n", "0")) + 1)}

    three_files.publish(three_files.stage(ORDERS, batch(y=[8])), Mode.APPEND, annotate=count)
    assert three_files.annotation(ORDERS, "n") == "6"
    assert len(seen) == 2

    def refuse(_: Mapping[str, str]) -> dict[str, str]:
        raise ConcurrentWrite("another one was faster")

    version = three_files.version(ORDERS)
    with pytest.raises(ConcurrentWrite):
        three_files.publish(three_files.stage(ORDERS, batch(z=[8])), Mode.APPEND, annotate=refuse)
    assert three_files.version(ORDERS) == version


def test_attachments_stay_as_long_as_a_version_names_them(
    three_files: Lake, tmp_path: Path
) -> None:
    file = tmp_path / "notes.txt"
    names: list[str] = []
    for text in ("one", "two", "named by nobody"):
        file.write_text(text)
        names.append(attach(three_files.root, ORDERS, file))
    for name in names[:2]:
        three_files.publish(
            three_files.stage(ORDERS, batch(x=[1])),
            Mode.APPEND,
            annotations={annotation("notes"): name},
        )
    assert attached(three_files.snapshot(ORDERS)) == {names[1]}
    three_files.vacuum(ORDERS, orphans_older_than_hours=1)
    fetch(three_files.root, ORDERS, names[2], file)
    assert file.read_text() == "named by nobody"
    removed = three_files.vacuum(ORDERS, orphans_older_than_hours=0)
    assert [path for path in removed if names[2] in path]
    fetch(three_files.root, ORDERS, names[0], file)
    assert file.read_text() == "one"
