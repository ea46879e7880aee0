"""Dagster components: each turns one declared thing into assets, checks, jobs and schedules."""

from __future__ import annotations

from etl_platform.components.database_sink.component import DatabaseSinkComponent
from etl_platform.components.database_source.component import DatabaseSourceComponent
from etl_platform.components.sql_models.component import SqlModelsComponent

__all__ = ["DatabaseSinkComponent", "DatabaseSourceComponent", "SqlModelsComponent"]
