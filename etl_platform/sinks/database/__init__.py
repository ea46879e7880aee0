"""Tables of the lake as tables of a database: loaded once, counted, checked and revertible."""

from __future__ import annotations

from etl_platform.sinks.database.errors import GateViolation, TargetUnavailable
from etl_platform.sinks.database.gate import Finding
from etl_platform.sinks.database.ledger import Entry
from etl_platform.sinks.database.load import History, Load, LoadMode, Target
from etl_platform.sinks.database.receipt import LoadReceipt
from etl_platform.sinks.database.reconcile import Comparison, Reconciliation, Scope
from etl_platform.sinks.database.rows import Rows, appended_rows, rows_of
from etl_platform.sinks.database.sink import DatabaseSink

__all__ = [
    "Comparison",
    "DatabaseSink",
    "Entry",
    "Finding",
    "GateViolation",
    "History",
    "Load",
    "LoadMode",
    "LoadReceipt",
    "Reconciliation",
    "Rows",
    "Scope",
    "Target",
    "TargetUnavailable",
    "appended_rows",
    "rows_of",
]
