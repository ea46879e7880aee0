"""One JSON document with many records: read as a whole, up to a size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from etl_platform.sources.files.columns import columns_of_schema
from etl_platform.sources.files.errors import BadFile
from etl_platform.sources.files.formats.ndjson import Records
from etl_platform.sources.files.models import FileFormat

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS = 16_384


def records(pieces: Iterable[bytes], form: FileFormat, where: str) -> Sequence[bytes]:
    """The texts of the records.

    Raises:
        BadFile: no JSON, too large, or where the records are cannot be told.
    """
    from etl_platform.sources.api.messages import ApiResponse, BadResponse
    from etl_platform.sources.api.records.reading import JsonReader

    limit, parts, size = form.options.json_.max_bytes, list[bytes](), 0
    for piece in pieces:
        parts.append(piece)
        size += len(piece)
        if size > limit:
            raise BadFile(
                where,
                f"a JSON document of more than {limit} bytes, which is read as a whole",
                fix="store it as NDJSON, or json: {max_bytes: ...}",
            )
    response = ApiResponse(status=200, headers={}, body=b"".join(parts), url=where)
    try:
        return JsonReader(form.options.json_.select).read(response).records
    except BadResponse as error:
        raise BadFile(where, error.what.removeprefix(f"{where}: "), fix=error.fix) from error


def read_json(
    pieces: Iterable[bytes], form: FileFormat, schema: pa.Schema, where: str
) -> Iterator[pa.RecordBatch]:
    """Record batches of ``schema``; as NDJSON's, with the record's number in place of the line."""
    reader = Records(columns_of_schema(schema, form.options), schema, where, "record")
    found = records(pieces, form, where)
    for start in range(0, len(found), _ROWS):
        part = found[start : start + _ROWS]
        yield reader.batch(part, range(start + 1, start + 1 + len(part)))
