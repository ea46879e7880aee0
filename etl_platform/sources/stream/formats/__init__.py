"""Formats of messages: vectorised decoders from a stream's raw bytes to typed rows."""

from etl_platform.sources.stream.formats.avro.decoder import AvroFormat
from etl_platform.sources.stream.formats.csv import CsvFormat
from etl_platform.sources.stream.formats.json.decoder import JsonFormat
from etl_platform.sources.stream.formats.options import StreamFormat
from etl_platform.sources.stream.formats.protocol import REASON, Decoded, Decoder
from etl_platform.sources.stream.formats.raw import RawFormat

__all__ = [
    "REASON",
    "AvroFormat",
    "CsvFormat",
    "Decoded",
    "Decoder",
    "JsonFormat",
    "RawFormat",
    "StreamFormat",
]
