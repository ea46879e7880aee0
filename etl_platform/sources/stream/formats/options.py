"""The formats that a stream can be declared to have."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from etl_platform.sources.stream.formats.json.decoder import JsonFormat

StreamFormat = Annotated[JsonFormat, Field()]
"""What ``format:`` chooses in YAML."""
