"""What Prometheus asks for: numbers about tables, streams, queries, engines and runs."""

from etl_platform.metrics.exposition import Exposition, Source
from etl_platform.metrics.runs import RunMetrics
from etl_platform.metrics.tables import TableMetrics

__all__ = ["Exposition", "RunMetrics", "Source", "TableMetrics"]
