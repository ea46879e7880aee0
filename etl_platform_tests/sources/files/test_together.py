from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from etl_platform.core.objects import LocalStore
from etl_platform.sources.files import FileOptions, Together, detect, infer, read_together, sample

TYPES = {"id": "int64", "x": "string"}


def outcome(store: LocalStore, threads: int = 1) -> Together:
    """Everything in the store, by the format of its first file."""
    infos = list(store.list())
    first = sample(store, infos[0])
    form = detect(first, FileOptions.model_validate({"columns": TYPES}))
    (found,) = read_together(store, infos, form, infer(first, form).schema, threads=threads)
    return found


def rows(found: Together) -> dict[str, list[tuple[object, ...]]]:
    """The rows of each good file."""
    values = [tuple(row.values()) for row in found.batch.to_pylist()]
    parts: dict[str, list[tuple[object, ...]]] = {}
    for info, count in found.rows:
        parts[info.key], values = values[:count], values[count:]
    assert not values
    return parts


@pytest.mark.parametrize("threads", [1, 4])
def test_files_that_are_read_together_are_told_apart_by_their_rows(
    tmp_path: Path, threads: int
) -> None:
    store = LocalStore(tmp_path)
    store.put("1", b"id,x\n1,a\n2,b\n")
    store.put("2 without an end", b"id,x\n3,c")
    store.put("3 with nothing", b"id,x\n")
    store.put("4 with quotes", b'id,x\n4,"d\ne"\n')
    store.put("5 with other names", b"x,id\nf,5\n")
    store.put("6 with empty lines", b"id,x\n\n6,g\n\n")
    store.put("7 of Windows", b"id,x\r\n7,h\r\n")
    found = outcome(store, threads)
    assert found.bad == ()
    assert rows(found) == {
        "1": [(1, "a"), (2, "b")],
        "2 without an end": [(3, "c")],
        "3 with nothing": [],
        "4 with quotes": [(4, "d\ne")],
        "5 with other names": [(5, "f")],
        "6 with empty lines": [(6, "g")],
        "7 of Windows": [(7, "h")],
    }


def test_a_bad_file_is_told_with_its_line_and_the_others_are_read(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.put("1", b"id,x\n1,a\n")
    store.put("2", b"id,x\n2,b\nthree,c\n")
    store.put("3", b"")
    store.put("4", b"id,x\n4,d\n")
    store.put("5", gzip.compress(b"id,x\n5,e\n"))
    found = outcome(store)
    assert rows(found) == {"1": [(1, "a")], "4": [(4, "d")]}
    assert [(info.key, error.what.split("/")[-1][:30]) for info, error in found.bad] == [
        ("2", "2, line 3, column 'id': 'three"),
        ("3", "3: the file is empty (0 bytes)"),
        ("5", "5, line 1: bytes 8b are not ut"),
    ]
