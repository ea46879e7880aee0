"""SQL from people and programs: read-only, confined, over one snapshot of each table, recorded."""

from __future__ import annotations

from etl_platform.query.read_only import check_read_only
from etl_platform.query.tool import QueryTool

__all__ = ["QueryTool", "check_read_only"]
