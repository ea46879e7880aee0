"""A file as Arrow record batches, in memory that does not grow with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from etl_platform.core.objects import ObjectInfo, ObjectStore
from etl_platform.sources.files.compression import chunks
from etl_platform.sources.files.detection import refuse_questions
from etl_platform.sources.files.errors import BadFile
from etl_platform.sources.files.formats import avro, json_document, ndjson, parquet, xlsx
from etl_platform.sources.files.formats.csv.reading import read_csv
from etl_platform.sources.files.models import FileFormat, FileSample
from etl_platform.sources.files.sampling import opened, sample
from etl_platform.sources.files.text import utf8
from etl_platform.sources.files.whole import Content

if TYPE_CHECKING:
    import pyarrow as pa


def read(
    store: ObjectStore, info: ObjectInfo, form: FileFormat, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """All rows of a file, in order, as batches of ``schema``; nothing of it is left out.

    Columns are matched by name (CSV without header: by position). One that the file lacks is null,
    one that the schema lacks is refused.

    Raises:
        BadFile: at the first damaged place; batches before it were good.
        ObjectChanged: the object was written again meanwhile.
    """
    found = sample(store, info, 0) if form.format == "parquet" else sample(store, info)
    refuse_questions(form, found.uri)
    if info.size_bytes == 0:
        raise BadFile(found.uri, "the file is empty (0 bytes)")
    content = decompressed(found, form)
    if form.format == "parquet":
        return parquet.read_parquet(content, schema, found.uri)
    if form.format == "avro":
        return avro.read_avro(content, schema, found.uri)
    if form.format == "xlsx":
        return xlsx.read_xlsx(content, form, schema, found.uri)
    pieces = utf8(content, form.encoding, found.uri)
    if form.format == "csv":
        return read_csv(pieces, form, schema, found.uri)
    if form.format == "ndjson":
        return ndjson.read_ndjson(pieces, form, schema, found.uri)
    return json_document.read_json(pieces, form, schema, found.uri)


def decompressed(found: FileSample, form: FileFormat) -> Content:
    """The content: an iterable of pieces, or a file where a format needs to jump about in it."""
    source = opened(found)
    if form.compression == "none":
        return Content(source, lambda: chunks(source, "none", found.uri))
    return Content(None, lambda: chunks(source, form.compression, found.uri, form.member))
