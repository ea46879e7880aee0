"""Formats of messages: vectorised decoders from a stream's raw bytes to typed rows."""

from etl_platform.sources.stream.formats.json.decoder import JsonFormat
from etl_platform.sources.stream.formats.options import StreamFormat
from etl_platform.sources.stream.formats.protocol import REASON, Decoded, Decoder

__all__ = ["REASON", "Decoded", "Decoder", "JsonFormat", "StreamFormat"]
