"""Delta tables: stage, audit, publish, scan, upsert, revert, compact. Only this folder commits."""

from etl_platform.lakehouse.lake import Lake, TableInfo
from etl_platform.lakehouse.origin import External, Origin
from etl_platform.lakehouse.receipt import Commit, Mode, Receipt

__all__ = ["Commit", "External", "Lake", "Mode", "Origin", "Receipt", "TableInfo"]
