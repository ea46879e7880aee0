"""Kinesis: data streams of AWS, and of servers that speak its protocol."""

from etl_platform.sources.stream.kinesis.options import KinesisOptions
from etl_platform.sources.stream.kinesis.stream import KinesisStream

__all__ = ["KinesisOptions", "KinesisStream"]
