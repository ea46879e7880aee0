"""The platform's own records: receipts, audits, profiles, queries; in SQLite or PostgreSQL."""

from etl_platform.metastore.records import AuditRecord, ProfileRecord, QueryRecord, ReceiptRecord
from etl_platform.metastore.store import Metastore

__all__ = ["AuditRecord", "Metastore", "ProfileRecord", "QueryRecord", "ReceiptRecord"]
