from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from etl_platform.core.objects import LocalStore
from etl_platform.sources.files import BadFile, detect, read, sample


def _read(folder: Path, kind: pa.DataType, wanted: pa.DataType) -> list[object]:
    values = pa.array(["7", None, "ü"], pa.string()).cast(kind)
    parquet.write_table(pa.table({"a": values}), folder / "a.parquet")
    store = LocalStore(folder)
    (info,) = store.list()
    form = detect(sample(store, info))
    batches = read(store, info, form, pa.schema([pa.field("a", wanted)]))
    return [value for batch in batches for value in batch.column("a").to_pylist()]


@pytest.mark.parametrize(
    "kind",
    [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())],
    ids=str,
)
def test_texts_are_read_however_their_writer_laid_them_out(
    tmp_path: Path, kind: pa.DataType
) -> None:
    assert _read(tmp_path, kind, pa.string()) == ["7", None, "ü"]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()], ids=str)
def test_texts_are_no_numbers(tmp_path: Path, kind: pa.DataType) -> None:
    with pytest.raises(BadFile, match="texts and other types"):
        _read(tmp_path, kind, pa.int64())
