"""Event-time windows over the batches of a stream: partial aggregates that merge exactly."""

from etl_platform.transforms.windows.compaction import compaction_sql
from etl_platform.transforms.windows.late import late_sql
from etl_platform.transforms.windows.merge import results_sql
from etl_platform.transforms.windows.partials import partials_sql
from etl_platform.transforms.windows.spec import Aggregate, Deduplication, WindowSpec
from etl_platform.transforms.windows.watermark import (
    BatchTimes,
    Progress,
    WatermarkRule,
    Watermarks,
    advance,
    watermarks,
)

__all__ = [
    "Aggregate",
    "BatchTimes",
    "Deduplication",
    "Progress",
    "WatermarkRule",
    "Watermarks",
    "WindowSpec",
    "advance",
    "compaction_sql",
    "late_sql",
    "partials_sql",
    "results_sql",
    "watermarks",
]
