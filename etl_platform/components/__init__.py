"""Dagster components: each turns one declared thing into assets, checks, jobs and schedules."""

from __future__ import annotations

from etl_platform.components.alerts.component import AlertsComponent
from etl_platform.components.api_source.component import ApiSourceComponent
from etl_platform.components.database_sink.component import DatabaseSinkComponent
from etl_platform.components.database_source.component import DatabaseSourceComponent
from etl_platform.components.file_sink.component import FileSinkComponent
from etl_platform.components.file_source.component import FileSourceComponent
from etl_platform.components.sla.component import SlaComponent
from etl_platform.components.sql_models.component import SqlModelsComponent
from etl_platform.components.stream_source.component import StreamSourceComponent
from etl_platform.components.transform.component import TransformComponent

__all__ = [
    "AlertsComponent",
    "ApiSourceComponent",
    "DatabaseSinkComponent",
    "DatabaseSourceComponent",
    "FileSinkComponent",
    "FileSourceComponent",
    "SlaComponent",
    "SqlModelsComponent",
    "StreamSourceComponent",
    "TransformComponent",
]
