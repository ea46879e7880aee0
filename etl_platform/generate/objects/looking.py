"""A few objects of a table, read: what they are, which columns they have, some of their rows."""

from __future__ import annotations

import dataclasses
import io
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from etl_platform.core.errors import EtlError
from etl_platform.core.objects import LocalStore, ObjectInfo, ObjectStore
from etl_platform.generate.objects.addresses import is_url
from etl_platform.sources.files import (
    BadFile,
    FileFormat,
    FileSample,
    Inferred,
    detect,
    infer,
    read,
    sample,
)
from etl_platform.sources.files.compression import chunks
from etl_platform.sources.files.formats.csv.blocks import whole_records
from etl_platform.sources.files.models import CsvDialect
from etl_platform.sources.files.sampling import opened, plain_head
from etl_platform.sources.files.text import utf8

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 2_000
"""Of each file, for quality and profile."""
_MOST_PLAIN = 16 << 20


@dataclass(frozen=True, slots=True)
class Looked:
    """One object.

    Attributes:
        problem: why it cannot be read; the other attributes are what was known until then.
        rows: of the whole object, estimated unless ``counted``; None where nothing tells.
        plain_bytes: of the whole object, likewise.
        read_bytes, read_s: what reading ``table`` took of the object as stored, in seconds.
    """

    info: ObjectInfo
    form: FileFormat | None = None
    found: Inferred | None = None
    table: pa.Table | None = None
    problem: str | None = None
    rows: float | None = None
    counted: bool = False
    plain_bytes: float = 0.0
    read_bytes: float = 0.0
    read_s: float = 0.0


def look(store: ObjectStore, info: ObjectInfo) -> Looked:
    """Detect, infer and read the beginning. Only an unreachable store raises."""
    looked = Looked(info)
    try:
        first = sample(store, info)
        if is_url(first.head):
            # It may hold a password, which would be shown as the name of a column.
            return dataclasses.replace(looked, problem="holds one URL, as a secret does")
        form = detect(first)
        looked = dataclasses.replace(looked, form=form)
        if form.questions:
            return looked
        found = infer(first, form)
        looked = dataclasses.replace(looked, found=found)
        return _read(looked, first, form, found)
    except BadFile as error:
        place = f", line {error.line}" if error.line is not None else ""
        return dataclasses.replace(looked, problem=f"{error.reason}{place}")
    except EtlError as error:
        return dataclasses.replace(looked, problem=error.what)


def _read(looked: Looked, first: FileSample, form: FileFormat, found: Inferred) -> Looked:
    if form.format == "parquet" and form.compression == "none":
        return _read_parquet(looked, first, form, found)
    whole = len(first.head) == first.info.size_bytes
    if not whole and form.format in {"csv", "ndjson"} and form.compression != "zip":
        return _read_head(looked, first, form, found)
    started = time.perf_counter()
    table, ended = _some(read(first.store, first.info, form, found.schema), found.schema)
    rows = table.num_rows if ended else found.rows or None
    return dataclasses.replace(
        looked,
        table=table,
        rows=rows,
        counted=ended or form.format in {"xlsx", "json"},
        plain_bytes=_plain_bytes(first, form),
        read_bytes=float(first.info.size_bytes) if ended else 0.0,
        read_s=time.perf_counter() - started if ended else 0.0,
    )


def _read_head(looked: Looked, first: FileSample, form: FileFormat, found: Inferred) -> Looked:
    """Of a long text only the sample: its whole records are read as a file of their own."""
    head, _ = plain_head(first, form.compression, form.member)
    started = time.perf_counter()
    cut = head[: head.rfind(b"\n") + 1] if form.encoding.startswith("utf-8") else head
    text = b"".join(utf8([cut], form.encoding, first.uri))
    records = text[: text.rfind(b"\n") + 1]
    plain = dataclasses.replace(form, compression="none", encoding="utf-8", member=None)
    if form.format == "csv":
        dialect = dataclasses.replace(form.dialect or CsvDialect(","), footer=0)
        records = whole_records(text, dialect)
        plain = dataclasses.replace(plain, dialect=dialect)
    with TemporaryDirectory(prefix="etl-inspect-") as folder:
        Path(folder, "head").write_bytes(records)
        place = LocalStore(folder)
        info = place.head("head")
        assert info is not None
        table, ended = _some(read(place, info, plain, found.schema), found.schema)
    spent = time.perf_counter() - started
    plain_bytes = _plain_bytes(first, form)
    # The text in UTF-8 may have another length than as it is stored.
    share = len(records) / max(len(text), 1) * len(cut)
    rows = found.rows * plain_bytes / share if share else None
    shown = table.num_rows / found.rows if found.rows else 1.0
    return dataclasses.replace(
        looked,
        table=table,
        rows=rows,
        plain_bytes=plain_bytes,
        read_bytes=first.info.size_bytes * share / plain_bytes * (1.0 if ended else shown),
        read_s=spent,
    )


def _read_parquet(looked: Looked, first: FileSample, form: FileFormat, found: Inferred) -> Looked:
    import pyarrow as pa
    from pyarrow import parquet

    started = time.perf_counter()
    table, ended = _some(read(first.store, first.info, form, found.schema), found.schema)
    spent = time.perf_counter() - started
    source: Any = opened(first)
    footer = parquet.read_metadata(pa.PythonFile(source, mode="r"))
    plain = sum(footer.row_group(i).total_byte_size for i in range(footer.num_row_groups))
    share = 1.0 if ended else table.num_rows / max(footer.num_rows, 1)
    return dataclasses.replace(
        looked,
        table=table,
        rows=float(footer.num_rows),
        counted=True,
        plain_bytes=float(plain),
        read_bytes=first.info.size_bytes * share,
        read_s=spent,
    )


def _some(batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> tuple[pa.Table, bool]:
    """The first rows, and whether they are all."""
    import pyarrow as pa

    found: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        found.append(batch)
        rows += batch.num_rows
        if rows > 50 * ROWS:
            return pa.Table.from_batches(found, schema), False
    return pa.Table.from_batches(found, schema), True


def _plain_bytes(first: FileSample, form: FileFormat) -> float:
    """Of the whole object, by how the sample grows when it is decompressed."""
    if form.compression == "none":
        return float(first.info.size_bytes)
    whole = len(first.head) == first.info.size_bytes
    source = opened(first) if form.compression == "zip" else io.BytesIO(first.head)
    grown = 0
    try:
        for piece in chunks(source, form.compression, first.uri, form.member):
            grown += len(piece)
            if grown > _MOST_PLAIN:
                whole = False
                break
    except BadFile:
        if whole:
            raise
    read_bytes = source.tell() if form.compression == "zip" else len(first.head)
    return grown * first.info.size_bytes / max(read_bytes, 1)
