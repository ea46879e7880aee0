"""The formats that a stream can be declared to have."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from etl_platform.sources.stream.formats.avro.decoder import AvroFormat
from etl_platform.sources.stream.formats.csv import CsvFormat
from etl_platform.sources.stream.formats.json.decoder import JsonFormat
from etl_platform.sources.stream.formats.raw import RawFormat

StreamFormat = Annotated[
    JsonFormat | CsvFormat | RawFormat | AvroFormat, Field(discriminator="format")
]
"""What ``format:`` chooses in YAML."""
