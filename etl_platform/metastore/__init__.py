"""The platform's own records, from receipts to engine decisions; in SQLite or PostgreSQL."""

from etl_platform.metastore.alert_records import AlertCursorRecord, IncidentRecord, NoticeRecord
from etl_platform.metastore.alerts import AlertLog
from etl_platform.metastore.decisions import DecisionLog
from etl_platform.metastore.history import QueryHistory
from etl_platform.metastore.metrics import MetricLog
from etl_platform.metastore.records import (
    AuditRecord,
    DecisionRecord,
    MetricFeedbackRecord,
    MetricPointRecord,
    PastQuery,
    ProfileRecord,
    QueryRecord,
    ReceiptRecord,
    SavedQueryRecord,
    StreamBatchRecord,
    StreamStateRecord,
)
from etl_platform.metastore.store import Metastore
from etl_platform.metastore.streams import StreamLog

__all__ = [
    "AlertCursorRecord",
    "AlertLog",
    "AuditRecord",
    "DecisionLog",
    "DecisionRecord",
    "IncidentRecord",
    "Metastore",
    "MetricFeedbackRecord",
    "MetricLog",
    "MetricPointRecord",
    "NoticeRecord",
    "PastQuery",
    "ProfileRecord",
    "QueryHistory",
    "QueryRecord",
    "ReceiptRecord",
    "SavedQueryRecord",
    "StreamBatchRecord",
    "StreamLog",
    "StreamStateRecord",
]
