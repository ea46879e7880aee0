"""Decoding of messages into typed columns, beside loops over messages in Python.

``python -m benchmarks stream_formats``; messages per second of processor time, one thread, batches
of 65,536. The loops give the same Arrow columns as the decoder does, with nothing checked. The last
lines have one message in a hundred that cannot be read.
"""

from __future__ import annotations

import csv
import io
import json
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import fastavro
import pyarrow as pa
from pydantic import TypeAdapter
from rich.console import Console
from rich.table import Table

from etl_platform.sources.stream.formats import StreamFormat
from etl_platform.sources.stream.messages import message_schema

_ROWS = 65_536
_COLUMNS = {
    "id": "int64",
    "user": "string",
    "amount": "float64",
    "ts": "timestamptz",
    "country": "string",
    "kind": "string",
}
_EXACT = _COLUMNS | {"amount": "decimal(12, 2)"}
_ARROW = pa.schema(
    [
        ("id", pa.int64()),
        ("user", pa.string()),
        ("amount", pa.float64()),
        ("ts", pa.timestamp("us", "UTC")),
        ("country", pa.string()),
        ("kind", pa.string()),
    ]
)
_AVRO = {
    "type": "record",
    "name": "Event",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "user", "type": "string"},
        {"name": "amount", "type": "double"},
        {"name": "ts", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "country", "type": ["null", "string"]},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["click", "view"]}},
    ],
}
_PARSED = fastavro.parse_schema(_AVRO)


def _row(i: int) -> dict[str, Any]:
    at = datetime(2024, 1, i % 28 + 1, i % 24, i % 60, (i * 7) % 60, 123456, UTC)
    user, amount = f"user_{i % 50000:06d}", float(f"{i % 10000 / 7:.2f}")
    return {"id": i, "user": user, "amount": amount, "ts": at, "country": "DE", "kind": "click"}


def _as_json(row: dict[str, Any]) -> bytes:
    return json.dumps(row | {"ts": f"{row['ts']:%Y-%m-%dT%H:%M:%S.%f}Z"}).encode()


def _as_csv(row: dict[str, Any]) -> bytes:
    return ",".join(map(str, row.values())).encode()


def _as_avro(row: dict[str, Any]) -> bytes:
    target = io.BytesIO()
    fastavro.schemaless_writer(target, _PARSED, row)
    return target.getvalue()


def _columns(rows: list[dict[str, Any]], schema: pa.Schema = _ARROW) -> pa.Table:
    return pa.Table.from_pylist(rows, schema)


def _json_loop(values: list[bytes]) -> pa.Table:
    rows = [json.loads(value) for value in values]
    for row in rows:
        row["ts"] = datetime.fromisoformat(row["ts"])
    return _columns(rows)


def _decimal_loop(values: list[bytes]) -> pa.Table:
    rows = [json.loads(value, parse_float=Decimal) for value in values]
    for row in rows:
        row["ts"] = datetime.fromisoformat(row["ts"])
    return _columns(rows, _ARROW.set(2, pa.field("amount", pa.decimal128(12, 2))))


def _csv_loop(values: list[bytes]) -> pa.Table:
    rows: list[dict[str, Any]] = []
    for value in values:
        one, user, amount, ts, country, kind = next(csv.reader([value.decode()]))
        at = datetime.fromisoformat(ts)
        typed = (int(one), user, float(amount), at, country, kind)
        rows.append(dict(zip(_COLUMNS, typed, strict=True)))
    return _columns(rows)


def _avro_loop(values: list[bytes]) -> pa.Table:
    return _columns([fastavro.schemaless_reader(io.BytesIO(one), _PARSED) for one in values])


def _raw_loop(values: list[bytes]) -> pa.Table:
    return pa.table({"value": pa.array(values, pa.binary())})


def _batch(values: list[bytes]) -> pa.RecordBatch:
    schema = message_schema(pa.int64())
    count = len(values)
    columns = [
        pa.array(["0"] * count, pa.string()),
        pa.array(range(count), pa.int64()),
        pa.nulls(count, pa.timestamp("us", "UTC")),
        pa.nulls(count, pa.binary()),
        pa.nulls(count, schema.field("headers").type),
        pa.array(values, pa.binary()),
    ]
    return pa.record_batch(columns, schema=schema)


def _poisoned(values: list[bytes], poison: bytes) -> list[bytes]:
    return [poison if i % 100 == 50 else value for i, value in enumerate(values)]


def _rate(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return _ROWS / (time.process_time() - started)


def main(runs: int) -> None:
    """Print the medians."""
    rows = [_row(i) for i in range(_ROWS)]
    as_json, as_avro = [_as_json(row) for row in rows], [_as_avro(row) for row in rows]
    one_json = {"format": "json", "columns": _COLUMNS}
    wrong = b'{"id": "3"}'
    cases: dict[str, tuple[dict[str, Any], list[bytes], Callable[..., Any] | None, str]] = {
        "json": (one_json, as_json, _json_loop, ">= 600,000/s"),
        "json, decimals": (one_json | {"columns": _EXACT}, as_json, _decimal_loop, ""),
        "csv": (
            {"format": "csv", "columns": _COLUMNS},
            [_as_csv(row) for row in rows],
            _csv_loop,
            "",
        ),
        "avro": ({"format": "avro", "schema": _AVRO}, as_avro, _avro_loop, ">= 150,000/s"),
        "raw": ({"format": "raw"}, as_json, _raw_loop, ""),
        "json, 1 % cut short": (one_json, _poisoned(as_json, b'{"id": 3'), None, ""),
        "json, 1 % of a wrong type": (one_json, _poisoned(as_json, wrong), None, ""),
        "avro, 1 % cut short": (
            {"format": "avro", "schema": _AVRO},
            _poisoned(as_avro, b"\2"),
            None,
            "",
        ),
    }
    table = Table(title="Messages per second of processor time", title_justify="left")
    for heading in ("messages", "ours", "loop in Python", "times", "bar"):
        table.add_column(heading, justify="left" if heading in ("messages", "bar") else "right")
    for name, (options, values, loop, bar) in cases.items():
        form: Any = TypeAdapter[StreamFormat](StreamFormat).validate_python(options)
        decoder, batch = form.decoder(), _batch(values)
        ours: list[float] = []
        loops: list[float] = []
        for turn in range(runs + 1):
            mine = _rate(partial(decoder.decode, batch))
            other = _rate(partial(loop, values)) if loop else 0.0
            if turn:
                ours.append(mine)
                loops.append(other)
        rate, beside = statistics.median(ours), statistics.median(loops)
        shown = (f"{beside:,.0f}", f"{rate / beside:.1f}") if beside else ("", "")
        table.add_row(name, f"{rate:,.0f}", *shown, bar)
    Console(width=110).print(table)
