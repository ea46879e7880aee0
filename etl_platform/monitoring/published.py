"""What readers see of every table, without opening the log of each.

The receipt of a replacement says all of it for the version that it made. It is believed where the
newest commit in the table's log is that version and was written when the receipt says; every other
table is opened: one that grows, another tool's commit, a restored copy, a table in a bucket.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from etl_platform.core.names import TableName
    from etl_platform.lakehouse import Lake
    from etl_platform.metastore import Metastore

_COMMIT = re.compile(r"(\d{20})\.json")
_CLOCKS_DIFFER_S = 60


@dataclass(frozen=True, slots=True)
class Published:
    """The version that readers see; ``updated_at`` is when it was committed, sizes are bytes."""

    version: int
    rows: int
    size_bytes: int
    updated_at: datetime


def published(lake: Lake, metastore: Metastore) -> dict[TableName, Published]:
    """Every table of the lake, quarantine tables included."""
    from etl_platform.lakehouse import Mode

    names = lake.names()
    found: dict[TableName, Published] = {}
    if lake.root.is_folder:
        receipts = {one.table: one for one in metastore.newest_receipts(lake.uri)}
        for name in names:
            receipt = receipts.get(name.sql)
            commit = _newest_commit(Path(lake.root.log(name), "_delta_log"))
            if receipt is None or commit is None or receipt.version_after != commit[0]:
                continue
            if receipt.mode != Mode.REPLACE:
                continue  # its size is that of what was added
            if abs((receipt.published_at - commit[1]).total_seconds()) < _CLOCKS_DIFFER_S:
                found[name] = Published(
                    receipt.version_after, receipt.rows_total, receipt.size_bytes, commit[1]
                )
    others = [name for name in names if name not in found]
    for info in lake.infos(others):
        found[info.name] = Published(info.version, info.rows, info.size_bytes, info.updated_at)
    return found


def _newest_commit(log: Path) -> tuple[int, datetime] | None:
    """The number of the newest commit in a log and when its file was written."""
    try:
        numbers = [match[1] for path in log.iterdir() if (match := _COMMIT.fullmatch(path.name))]
        if not numbers:
            return None
        written = (log / f"{max(numbers)}.json").stat().st_mtime
    except OSError:  # dropped meanwhile
        return None
    return int(max(numbers)), datetime.fromtimestamp(written, UTC)
