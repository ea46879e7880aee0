"""Batches of messages with given values."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from etl_platform.sources.stream.messages import message_schema


def batch(values: Sequence[bytes | None]) -> pa.RecordBatch:
    """Messages of one partition, positions from 0, keys k0, k1, ..."""
    schema = message_schema(pa.int64())
    count = len(values)
    columns = [
        pa.array(["0"] * count, pa.string()),
        pa.array(range(count), pa.int64()),
        pa.array([1_700_000_000_000_000] * count, pa.timestamp("us", "UTC")),
        pa.array([b"k%d" % row for row in range(count)], pa.binary()),
        pa.array([[{"name": "trace", "value": b"1"}]] * count, schema.field("headers").type),
        pa.array(values, pa.binary()),
    ]
    return pa.record_batch(columns, schema=schema)
