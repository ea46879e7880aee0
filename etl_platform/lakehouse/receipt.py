"""What a change of a table did: written into the Delta commit itself, so no crash can lose it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from etl_platform.core.names import TableName
from etl_platform.lakehouse.actor import ACTOR_KEY, Actor
from etl_platform.metastore.records import ReceiptRecord, now


class Mode(StrEnum):
    """How staged rows meet the rows that are already there."""

    REPLACE = "replace"
    """The staged rows become the whole table."""
    APPEND = "append"
    """The staged rows are added."""
    REPLACE_PARTITION = "replace_partition"
    """The staged rows become the whole of one partition; others stay."""
    REPLACE_ROWS = "replace_rows"
    """The staged rows are added, and the rows with given values in one column go."""
    UPSERT = "upsert"
    """A staged row replaces the row with the same key, or is added."""
    REVERT = "revert"
    """An earlier version becomes the newest one; recorded by ``Lake.revert`` only."""
    RECONCILE = "reconcile"
    """Rows that the source no longer has were removed or marked; by ``Lake.reconcile`` only."""
    COMPACT = "compact"
    """Small files were merged, no row changed; recorded by ``Lake.compact`` only."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one commit changed. Counts are rows, sizes bytes.

    ``seconds`` is the wall time from the first row read to the commit, audit included.

    ``checksum`` is the SHA-256 over the bytes of the files that the commit added, in order of their
    own digests. ``skipped`` says that the batch had been committed before and nothing was done.
    """

    table: str
    mode: Mode
    version_before: int | None
    version_after: int
    rows_inserted: int = 0
    rows_updated: int = 0
    rows_deleted: int = 0
    rows_total: int = 0
    size_bytes: int = 0
    files_added: int = 0
    files_removed: int = 0
    seconds: float = 0.0
    checksum: str = ""
    batch: str | None = None
    run_id: str | None = None
    skipped: bool = False
    committed_at: datetime | None = None

    @property
    def name(self) -> TableName:
        return TableName.parse(self.table)

    def to_json(self) -> str:
        """The form kept in the Delta commit."""
        body = asdict(self)
        body.pop("committed_at")
        return json.dumps(body)

    def to_record(self, lake: str) -> ReceiptRecord:
        """The form kept in the metastore, for the lake at this URI."""
        body = asdict(self)
        body["published_at"] = body.pop("committed_at") or now()
        del body["skipped"]
        return ReceiptRecord(lake=lake, **body)

    @classmethod
    def from_record(cls, record: ReceiptRecord) -> Receipt:
        """The receipt that was recorded."""
        body: dict[str, Any] = record.model_dump(exclude={"lake", "published_at"})
        body |= {"mode": Mode(record.mode), "checksum": record.checksum or ""}
        return cls(**body, committed_at=record.published_at)

    @classmethod
    def from_json(cls, text: str, committed_at: datetime | None = None) -> Receipt:
        body: dict[str, Any] = json.loads(text)
        body["mode"] = Mode(body["mode"])
        return replace(cls(**body), committed_at=committed_at)


@dataclass(frozen=True, slots=True)
class Commit:
    """One version of a table, newest first in ``Lake.history``.

    ``receipt`` is None for commits that the platform did not make, or that only prepared one, such
    as adding a column. ``actor`` is None for those of other tools and of older
    releases.
    """

    version: int
    timestamp: datetime
    operation: str
    receipt: Receipt | None
    actor: Actor | None = None


RECEIPT_KEY = "etl_receipt"
ANNOTATIONS_KEY = "etl_annotations"
COLUMNS_ADDED = "etl:columns_added"
"""Annotation of a table that still has files from before a column was added."""
VERSION_KEY = "etl_version"
"""Each commit names its own version: ``DeltaTable.history`` counts down from the version that is
loaded, which is wrong for older versions and while others write."""


def version_of(entry: dict[str, Any]) -> int:
    """The version that an entry of ``DeltaTable.history()`` belongs to."""
    return int(entry.get(VERSION_KEY, entry["version"]))


def commit_of(entry: dict[str, Any]) -> Commit:
    """Read one entry of ``DeltaTable.history()``."""
    moment = datetime.fromtimestamp(entry.get("timestamp", 0) / 1000, UTC)
    text, actor = entry.get(RECEIPT_KEY), entry.get(ACTOR_KEY)
    return Commit(
        version=version_of(entry),
        timestamp=moment,
        operation=str(entry.get("operation", "")),
        receipt=Receipt.from_json(text, moment) if text else None,
        actor=Actor.from_json(actor) if actor else None,
    )
