"""Databases as sources: reflect what is there, stream it as Arrow, follow a cursor."""

from __future__ import annotations

from etl_platform.sources.database.database import Database
from etl_platform.sources.database.dialects.base import PoolSettings
from etl_platform.sources.database.engines import (
    ENGINES,
    ExtractionEngine,
    capabilities,
    count_rows,
    extract,
    read_columns,
)
from etl_platform.sources.database.extraction import Cursor, Extraction, Window
from etl_platform.sources.database.policy import TypePolicy
from etl_platform.sources.database.reflection import reflect
from etl_platform.sources.database.tables import (
    ForeignKey,
    SourceColumn,
    SourceTable,
    tables_from_json,
    tables_to_json,
)
from etl_platform.sources.database.watermark import encode as encode_watermark

__all__ = [
    "ENGINES",
    "Cursor",
    "Database",
    "Extraction",
    "ExtractionEngine",
    "ForeignKey",
    "PoolSettings",
    "SourceColumn",
    "SourceTable",
    "TypePolicy",
    "Window",
    "capabilities",
    "count_rows",
    "encode_watermark",
    "extract",
    "read_columns",
    "reflect",
    "tables_from_json",
    "tables_to_json",
]
