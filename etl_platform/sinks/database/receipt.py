"""What a load did to its target: kept in the target itself, in the transaction that did it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace

from etl_platform.sinks.database.load import LoadMode


@dataclass(frozen=True, slots=True)
class LoadReceipt:
    """Counts are rows of the target, ``seconds`` the whole load.

    Attributes:
        source: the lake table, ``source_version`` the version that was read.
        rows_read: rows of the lake that were loaded.
        rows_updated: in ``scd2`` the versions that were closed because a new one came.
        rows_deleted: in ``scd2`` the versions that were closed because their key is gone.
        rows_total: of the target afterwards; None where counting was not worth a scan.
        checksum: of the loaded rows as the lake holds them, independent of their order.
        key: columns by which the rows were recognised, with the version's beginning in ``scd2``.
        revertible: a before-image of this load is kept.
        skipped: this batch had been loaded before, nothing was done.
    """

    target: str
    mode: LoadMode
    batch: str
    source: str
    source_version: int | None
    rows_read: int
    rows_inserted: int = 0
    rows_updated: int = 0
    rows_deleted: int = 0
    rows_total: int | None = None
    key: tuple[str, ...] = ()
    checksum: str = ""
    seconds: float = 0.0
    revertible: bool = False
    run_id: str | None = None
    skipped: bool = False

    def as_skipped(self) -> LoadReceipt:
        return replace(self, skipped=True, seconds=0.0)

    def to_json(self) -> str:
        """The form that is kept in the target."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> LoadReceipt:
        body = json.loads(text)
        body |= {"mode": LoadMode(body["mode"]), "key": tuple(body["key"])}
        return cls(**body)
