"""What files become: the same wherever they are, however compressed; or why they do not."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from etl_platform.core.errors import SchemaMismatch
from etl_platform.core.objects import LocalStore, ObjectStore
from etl_platform.sources.files import BadFile, FileOptions, detect, infer, read, sample
from etl_platform_tests.conformance.csv_files import CASES, CsvCase
from etl_platform_tests.conformance.damaged_files import DAMAGES
from etl_platform_tests.conformance.file_contents import CONTENTS, EXPECTED
from etl_platform_tests.servers.s3 import S3Server


def rows_of(store: ObjectStore, key: str, options: FileOptions) -> tuple[pa.Table, dict[str, str]]:
    """Everything in a file, and the notes on its columns."""
    info = store.head(key)
    assert info is not None
    first = sample(store, info)
    form = detect(first, options)
    inferred = infer(first, form)
    batches = list(read(store, info, form, inferred.schema))
    return pa.Table.from_batches(batches, inferred.schema), inferred.notes


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_csv_is_parsed_as_documented_or_refused_with_line_and_reason(
    case: CsvCase, tmp_path: Path
) -> None:
    store = LocalStore(tmp_path)
    store.put("file.csv", case.data)
    options = FileOptions.model_validate(case.options)
    if case.reason is not None:
        with pytest.raises(BadFile) as caught:
            rows_of(store, "file.csv", options)
        assert case.reason in str(caught.value)
        assert caught.value.line == case.line
        assert str(tmp_path / "file.csv") == caught.value.object
        return
    table, notes = rows_of(store, "file.csv", options)
    assert [tuple(row.values()) for row in table.to_pylist()] == case.rows
    assert tuple(str(kind).replace(", ", ",·") for kind in table.schema.types) == case.types
    if case.names:
        assert tuple(table.column_names) == case.names
    if case.note is not None:
        assert case.note in " ".join(notes.values())


def _zstd(data: bytes) -> bytes:
    return pa.compress(data, "zstd", asbytes=True)


def _zip(data: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inside", data)
    return target.getvalue()


COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "none": bytes,
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "zstd": _zstd,
    "zip": _zip,
}


@pytest.fixture(scope="module", params=["local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ObjectStore:
    """A folder, or a bucket."""
    if request.param == "local":
        return LocalStore(tmp_path_factory.mktemp("files"))
    server: S3Server = request.getfixturevalue("s3_server")
    return server.store("some/prefix")


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("content", CONTENTS)
def test_a_file_is_the_same_in_every_format_compression_and_store(
    store: ObjectStore, content: str, compression: str
) -> None:
    data = COMPRESSIONS[compression](CONTENTS[content])
    key = f"{content}-{compression}"
    store.put(key, data)
    table, _ = rows_of(store, key, FileOptions())
    assert table.to_pylist() == EXPECTED
    info = store.head(key)
    assert info is not None
    form = detect(sample(store, info))
    assert (form.format, form.compression) == (content.split("-")[0], compression)


def outcome(store: ObjectStore, key: str) -> tuple[pa.Table | None, str]:
    """The rows of a file, or why there are none."""
    try:
        return rows_of(store, key, FileOptions.model_validate({"types": {"id": "int64"}}))[0], ""
    except (BadFile, SchemaMismatch) as error:
        return None, str(error).split("\n", 1)[0]


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_file_is_refused_with_its_reason_wherever_the_damage_is(
    kind: str, tmp_path: Path
) -> None:
    store = LocalStore(tmp_path)
    for number in range(int(os.environ.get("DAMAGED_FILES", "10"))):
        seed = random.Random(f"{kind} {number}")
        store.put("file", DAMAGES[kind](seed))
        table, reason = outcome(store, "file")
        assert table is None, f"{kind}, file {number}: {table.num_rows} rows"
        assert str(tmp_path / "file") in reason
        print(f"{kind}: {reason.replace(str(tmp_path), '')}")
