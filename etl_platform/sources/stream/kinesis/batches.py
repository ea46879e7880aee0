"""Messages of a shard as Arrow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl_platform.sources.stream.kinesis.client import RawRecord
from etl_platform.sources.stream.messages import message_schema

if TYPE_CHECKING:
    import pyarrow as pa


def to_arrow(shard: str, records: list[RawRecord]) -> pa.RecordBatch:
    """The columns of :func:`message_schema` with positions as text.

    The key is the partition key in UTF-8, the time that of arrival; there are no headers. A value
    is what was put: messages that the Kinesis Producer Library packed into one stay one.
    """
    import pyarrow as pa

    schema = message_schema(pa.string())
    count = len(records)
    keys = pa.array([one["PartitionKey"] for one in records], pa.string())
    # Of milliseconds; datetimes with a time zone would make Arrow import pandas.
    times = [round(one["ApproximateArrivalTimestamp"].timestamp() * 1e6) for one in records]
    return pa.RecordBatch.from_arrays(
        [
            pa.repeat(shard, count),
            pa.array([one["SequenceNumber"] for one in records], pa.string()),
            pa.array(times, schema.field("timestamp").type),
            keys.cast(pa.binary()),
            pa.nulls(count, schema.field("headers").type),
            pa.array([one["Data"] for one in records], pa.binary()),
        ],
        schema=schema,
    )
