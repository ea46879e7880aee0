"""Streams: brokers' messages in exact ranges, as Arrow."""

from etl_platform.sources.stream.messages import message_schema
from etl_platform.sources.stream.protocol import (
    PartitionEnd,
    PositionsLost,
    ReadLimits,
    Stream,
    StreamEnds,
    StreamInfo,
    StreamUnavailable,
)
from etl_platform.sources.stream.ranges import Range, Ranges, from_json, to_json, union

__all__ = [
    "PartitionEnd",
    "PositionsLost",
    "Range",
    "Ranges",
    "ReadLimits",
    "Stream",
    "StreamEnds",
    "StreamInfo",
    "StreamUnavailable",
    "from_json",
    "message_schema",
    "to_json",
    "union",
]
