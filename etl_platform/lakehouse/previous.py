"""The batch before: what the growth of a table is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from etl_platform.core.names import TableName
from etl_platform.lakehouse.lake import Lake
from etl_platform.lakehouse.opening import open_snapshot
from etl_platform.lakehouse.receipt import Mode

_COMMITS = 20
"""How far back an append is looked for behind compactions and reverts."""


def previous_rows(
    lake: Lake, table: TableName, mode: Mode, partition: Mapping[str, Any] | None
) -> int | None:
    """Rows that a batch replaces, or those of the last append or upsert; None of a first batch."""
    snapshot = open_snapshot(lake.root, table)
    if snapshot is None:
        return None
    if mode in (Mode.APPEND, Mode.UPSERT, Mode.REPLACE_ROWS):
        receipts = (commit.receipt for commit in snapshot.history(_COMMITS))
        batches = (r.rows_inserted + r.rows_updated for r in receipts if r and r.mode is mode)
        return next(batches, None)
    if mode is Mode.REPLACE_PARTITION:
        files = snapshot.within(partition or {})
        return sum(file.rows for file in files) if files else None
    return snapshot.rows
