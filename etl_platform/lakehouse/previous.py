"""The batch before: what the growth of a table is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from etl_platform.core.names import TableName
from etl_platform.lakehouse.lake import Lake
from etl_platform.lakehouse.receipt import Mode

_COMMITS = 20
"""How far back an append is looked for behind compactions and reverts."""


def previous_rows(
    lake: Lake, table: TableName, mode: Mode, partition: Mapping[str, Any] | None
) -> int | None:
    """Rows that a batch replaces, or those of the last append or upsert; None of a first batch."""
    if not lake.exists(table):
        return None
    if mode in (Mode.APPEND, Mode.UPSERT):
        receipts = (commit.receipt for commit in lake.history(table, _COMMITS))
        batches = (r.rows_inserted + r.rows_updated for r in receipts if r and r.mode is mode)
        return next(batches, None)
    snapshot = lake.snapshot(table)
    if mode is Mode.REPLACE_PARTITION:
        files = snapshot.within(partition or {})
        return sum(file.rows for file in files) if files else None
    return snapshot.rows
