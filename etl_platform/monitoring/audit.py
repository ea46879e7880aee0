"""The audit trail: every change of every table, who or what made it, and what it did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from etl_platform.core.names import TableName
from etl_platform.lakehouse.receipt import Receipt

if TYPE_CHECKING:
    from etl_platform.lakehouse import Commit, Lake
    from etl_platform.lakehouse.actor import Actor
    from etl_platform.metastore import Metastore
    from etl_platform.metastore.records import ReceiptRecord

EVERY = 1_000_000_000


class Kept(StrEnum):
    """What tells of a change."""

    LOG = "log"
    """The table's own log, which nobody changes without changing the table."""
    METASTORE = "metastore"
    """The platform's records alone: the log no longer reaches back so far, or is of a table that
    was made anew."""
    GONE = "gone"
    """The platform's records alone: the table is no longer in the lake. No command removes a table,
    so its folder was removed by other means."""


@dataclass(frozen=True, slots=True)
class Change:
    """One version that a table became.

    Attributes:
        change: the receipt's mode; without a receipt the operation that the log names, as of
            commits of other tools and of added columns.
        version_before: None for a table's first version.
        actor: the process that committed; None where the log does not say.
        run_id: the run that it was part of, if any.
    """

    table: str
    at: datetime
    change: str
    version_before: int | None
    version_after: int
    actor: Actor | None
    run_id: str | None
    receipt: Receipt | None
    kept: Kept


def audit_trail(
    lake: Lake,
    metastore: Metastore,
    table: TableName | None = None,
    since: datetime | None = None,
    limit: int | None = None,
) -> tuple[Change, ...]:
    """Changes of one table or of all, newest first.

    Quarantine and dead letter tables are tables as any: their commits are entries of their own.

    Args:
        since: the earliest moment of a change.
        limit: the most changes; default: every one.

    Raises:
        UnknownName: nothing is known of the table.
        TransientError: the metastore does not answer.
    """
    names = lake.names() if table is None else [table]
    found: list[Change] = []
    here: set[str] = set()
    # Of a table with so many newer changes no older one can be among the newest of all.
    for name in names:
        snapshot = lake.find(name)
        if snapshot is not None:
            here.add(name.sql)
            found += (_of_commit(name, commit) for commit in snapshot.history(limit))
    known = {(one.table, one.version_after) for one in found}
    told = metastore.receipts(None if table is None else table.sql, limit or EVERY)
    records = [record for record in told if record.lake == lake.uri]
    if table is not None and not found and not records:
        lake.snapshot(table)  # says so, with the nearest names
    for record in records:
        if (record.table, record.version_after) not in known:
            found.append(_of_record(record, Kept.METASTORE if record.table in here else Kept.GONE))
    chosen = [one for one in found if since is None or one.at >= since]
    chosen.sort(key=lambda one: (one.at, one.table, one.version_after), reverse=True)
    return tuple(chosen[:limit])


def _of_commit(table: TableName, commit: Commit) -> Change:
    receipt = commit.receipt
    before = commit.version - 1 if commit.version else None
    return Change(
        table=table.sql,
        at=commit.timestamp,
        change=commit.operation.lower() if receipt is None else receipt.mode.value,
        version_before=before if receipt is None else receipt.version_before,
        version_after=commit.version,
        actor=commit.actor,
        run_id=None if receipt is None else receipt.run_id,
        receipt=receipt,
        kept=Kept.LOG,
    )


def _of_record(record: ReceiptRecord, kept: Kept) -> Change:
    return Change(
        table=record.table,
        at=record.published_at,
        change=record.mode,
        version_before=record.version_before,
        version_after=record.version_after,
        actor=None,
        run_id=record.run_id,
        receipt=Receipt.from_record(record),
        kept=kept,
    )
