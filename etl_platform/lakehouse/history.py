"""How a table grew, and how good the rows were that each version brought."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from etl_platform.core.names import TableName
    from etl_platform.lakehouse.lake import Lake
    from etl_platform.metastore import Metastore
    from etl_platform.quality.reports.page import VersionPoint

VERSIONS = 30
_COMMITS = 3 * VERSIONS
"""How far back they are looked for behind compactions: the log of an old table is long."""


def version_points(
    lake: Lake, metastore: Metastore | None, table: TableName, until: int | None = None
) -> tuple[VersionPoint, ...]:
    """The newest 30 versions up to ``until``, oldest first.

    Rows are from the table's log, scores from the metastore's profiles (none without a metastore).
    Compactions and prepared commits change no row and are left out.
    """
    from etl_platform.quality.reports.page import VersionPoint

    snapshot = lake.snapshot(table)
    later = 0 if until is None else max(0, snapshot.version - until)
    receipts = [
        commit.receipt
        for commit in snapshot.history(later + _COMMITS)
        if commit.receipt is not None
        and commit.receipt.mode != "compact"
        and (until is None or commit.version <= until)
    ][:VERSIONS]
    scores: dict[int, float | None] = {}
    if metastore is not None and receipts:
        for record in metastore.profiles(table.sql, lake=lake.uri, limit=VERSIONS * 2):
            scores[record.version] = _score(record.profile)
    return tuple(
        VersionPoint(
            r.version_after, r.rows_total, scores.get(r.version_after), r.size_bytes, r.seconds
        )
        for r in reversed(receipts)
    )


def _score(profile: str) -> float | None:
    found = json.loads(profile).get("score")
    return None if found is None else float(found["total"])
