"""What every stream gives: its messages as Arrow, the same columns whatever the broker is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

PARTITION = "partition"
POSITION = "position"
TIMESTAMP = "timestamp"
KEY = "key"
HEADERS = "headers"
VALUE = "value"


def message_schema(position: pa.DataType) -> pa.Schema:
    """The columns of a batch of raw messages.

    ``partition`` (string) and ``position`` name the message for ever; a position is an int64 in
    Kafka and a text of 56 digits at most in Kinesis. ``timestamp`` (microseconds, UTC) is the
    broker's. ``key`` and ``value`` are bytes; a value of null is a tombstone. ``headers`` are
    names and bytes in their order, null where the broker has no headers.

    Args:
        position: the Arrow type of a position.
    """
    import pyarrow as pa

    header = pa.struct([pa.field("name", pa.string(), nullable=False), ("value", pa.binary())])
    return pa.schema(
        [
            pa.field(PARTITION, pa.string(), nullable=False),
            pa.field(POSITION, position, nullable=False),
            pa.field(TIMESTAMP, pa.timestamp("us", "UTC")),
            pa.field(KEY, pa.binary()),
            pa.field(HEADERS, pa.list_(pa.field("element", header))),
            pa.field(VALUE, pa.binary()),
        ]
    )
