from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from etl_platform.core.objects import LocalStore, ObjectChanged
from etl_platform.sources.files import FileFormat, FileSample, Inferred, detect, infer, read, sample


def looked_at(store: LocalStore) -> tuple[FileSample, FileFormat, Inferred]:
    """What is known of the only file before it is read."""
    (info,) = store.list()
    first = sample(store, info)
    form = detect(first)
    return first, form, infer(first, form)


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_a_sample_may_end_anywhere_within_a_record(
    end: str, compress: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    line = '{},"first{}second ""third""",ä{}'
    whole = "id,text,x" + end + "".join(line.format(n, "\n", end) for n in range(15_000))
    if end == "\r":
        whole = whole.replace("\n", " ")
    for shift in range(0, 40, 7):
        store = LocalStore(tmp_path / str(shift))
        store.put("file", compress(whole.replace("text", "t" * (1 + shift)).encode()))
        first, form, found = looked_at(store)
        assert form.questions == ()
        assert [str(kind) for kind in found.schema.types] == ["int64", "string", "string"]
        rows = sum(one.num_rows for one in read(store, first.info, form, found.schema))
        assert rows == 15_000


def test_confidence_says_how_much_was_seen(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.put("file", b"id,x\n1,\n2,\n")
    assert looked_at(store)[2].confidence == {"id": 1.0, "x": 0.0}
    store.put("file", b"id,x\n" + b"1,2\n" * 100_000)
    found = looked_at(store)[2]
    assert found.rows < 100_000
    assert all(0.99 < one < 1 for one in found.confidence.values())


def test_an_object_that_is_written_again_while_it_is_read_is_told(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.put("file", b"id,x\n" + b"1,2\n" * 3_000_000)
    first, form, found = looked_at(store)
    batches = read(store, first.info, form, found.schema)
    next(batches)
    store.put("file", b"id,x\n" + b"3,4\n" * 3_000_000)
    with pytest.raises(ObjectChanged):
        for _ in batches:
            pass
