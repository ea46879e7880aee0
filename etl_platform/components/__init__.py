"""Dagster components: each turns one declared thing into assets, checks, jobs and schedules."""

from __future__ import annotations

from etl_platform.components.api_source.component import ApiSourceComponent
from etl_platform.components.database_sink.component import DatabaseSinkComponent
from etl_platform.components.database_source.component import DatabaseSourceComponent
from etl_platform.components.sql_models.component import SqlModelsComponent
from etl_platform.components.stream_source.component import StreamSourceComponent

__all__ = [
    "ApiSourceComponent",
    "DatabaseSinkComponent",
    "DatabaseSourceComponent",
    "SqlModelsComponent",
    "StreamSourceComponent",
]
