"""The same records in every format and encoding."""

from __future__ import annotations

import io
import json
from typing import Any

import fastavro
import pyarrow as pa
import xlsxwriter
from pyarrow import parquet

EXPECTED: list[dict[str, Any]] = [
    {"id": n, "code": f"{n:05}", "name": "Zürich" if n % 3 else None, "x": n + 0.5}
    for n in range(1, 301)
]


def _csv(delimiter: str = ",", encoding: str = "utf-8") -> bytes:
    lines = [delimiter.join(EXPECTED[0])] + [
        delimiter.join("" if value is None else str(value) for value in row.values())
        for row in EXPECTED
    ]
    return ("\n".join(lines) + "\n").encode(encoding)


def _json(encoding: str = "utf-8") -> bytes:
    return json.dumps({"count": len(EXPECTED), "items": EXPECTED}, indent=1).encode(encoding)


def _ndjson(encoding: str = "utf-8") -> bytes:
    lines = [json.dumps(row, ensure_ascii=False) for row in EXPECTED]
    return "\n".join(lines).encode(encoding)


def _parquet() -> bytes:
    target = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(EXPECTED), target, row_group_size=100)
    return target.getvalue()


AVRO_SCHEMA = {
    "type": "record",
    "name": "row",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "code", "type": "string"},
        {"name": "name", "type": ["null", "string"]},
        {"name": "x", "type": "double"},
    ],
}


def _avro(codec: str) -> bytes:
    target = io.BytesIO()
    fastavro.writer(target, AVRO_SCHEMA, EXPECTED, codec, sync_interval=500)
    return target.getvalue()


def _xlsx() -> bytes:
    target = io.BytesIO()
    book = xlsxwriter.Workbook(target)
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, list(EXPECTED[0]))
    for number, row in enumerate(EXPECTED, 1):
        for column, value in enumerate(row.values()):
            if isinstance(value, str):
                sheet.write_string(number, column, value)
            elif value is not None:
                sheet.write_number(number, column, value)
    book.close()
    return target.getvalue()


CONTENTS: dict[str, bytes] = {
    "csv": _csv(),
    "csv-semicolon": _csv(";"),
    "csv-tab": _csv("\t"),
    "csv-utf8-mark": _csv(encoding="utf-8-sig"),
    "csv-utf16": _csv(encoding="utf-16"),
    "csv-utf16-be": _csv(encoding="utf-16-be"),
    "csv-utf32": _csv(encoding="utf-32"),
    "json": _json(),
    "json-utf16": _json("utf-16"),
    "ndjson": _ndjson(),
    "ndjson-utf8-mark": _ndjson("utf-8-sig"),
    "ndjson-utf16": _ndjson("utf-16"),
    "parquet": _parquet(),
    "avro": _avro("null"),
    "avro-deflate": _avro("deflate"),
    "xlsx": _xlsx(),
}
