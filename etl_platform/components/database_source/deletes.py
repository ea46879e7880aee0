"""Rows that the source has deleted: found by comparing keys, before the load that follows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dagster as dg

from etl_platform.components.database_source.options import Deletes
from etl_platform.core.errors import ConcurrentWrite, PermanentError
from etl_platform.core.names import TableName

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_platform.lakehouse import Lake
    from etl_platform.lakehouse.log import Snapshot
    from etl_platform.metastore import Metastore
    from etl_platform.sources.database import Database, Extraction

ACCEPT_DELETES = "accept_deletes"
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class KeyComparison:
    """One comparison of the source's keys with the lake's.

    The keys are read *before* the rows of the load that follows, and compared with a version of the
    table from before that: a row which is inserted meanwhile is not in that version and cannot be
    taken for deleted, and one that comes back is brought by the load or marked as back next time.

    Args:
        keys: an extraction whose first columns are known to hold the key.
        batch: identity of the run's work; a comparison that was committed is not done again.
    """

    table: TableName
    key: tuple[str, ...]
    deletes: Deletes
    keys: Extraction
    engine: str | None
    batch: str
    run_id: str
    accepted: bool = False
    forced: bool = False

    def run(
        self, lake: Lake, database: Database, metastore: Metastore
    ) -> dict[str, dg.MetadataValue]:
        """Compare and commit, when it is time; what was found as metadata.

        Raises:
            TooManyMissing: the source lacks more rows than is allowed; nothing was changed.
            ConcurrentWrite: other writers kept committing to the table.
            SourceUnavailable, PermanentError: as reading the source raises them.
        """
        mode = self.deletes.mode
        if mode == "ignore" or not lake.exists(self.table):
            return {}
        self._prepare(lake)
        for attempt in range(_ATTEMPTS):
            current = lake.snapshot(self.table)
            if not self._due(current) or current.has_batch(self.batch):
                return _standing(current)
            try:
                return self._compare(lake, current, database, metastore)
            except ConcurrentWrite:
                # A row may have come back with the other writer's commit: the keys are read again.
                if attempt == _ATTEMPTS - 1:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _prepare(self, lake: Lake) -> None:
        from etl_platform.lakehouse.reconcile import add_mark

        if self.deletes.mode == "soft":
            while add_mark(lake.snapshot(self.table), self.deletes.column):
                pass

    def _due(self, current: Snapshot) -> bool:
        from etl_platform.lakehouse.reconcile import RECONCILED

        last = current.annotations().get(RECONCILED)
        if last is None or self.forced:
            return True
        return datetime.now(UTC) - datetime.fromisoformat(last) >= self.deletes.period

    def _compare(
        self, lake: Lake, current: Snapshot, database: Database, metastore: Metastore
    ) -> dict[str, dg.MetadataValue]:
        from etl_platform.lakehouse.reconcile import Reconciliation
        from etl_platform.sources.database import extract

        mode = self.deletes.mode
        assert mode != "ignore"
        options = Reconciliation(
            key=self.key,
            mode=mode,
            at=datetime.now(UTC),
            column=self.deletes.column,
            max_share=1 if self.accepted else self.deletes.max_share,
            batch=self.batch,
            run_id=self.run_id,
        )
        with extract(database, self.keys, engine=self.engine) as reader:
            receipt, found = lake.reconcile(current, _only(reader, self.key), options)
        metastore.record_receipt(receipt.to_record(lake.uri))
        value = dg.MetadataValue
        return {
            "deletes_mode": value.text(mode),
            "source_keys": value.int(found.source_keys),
            "deleted_in_source": value.int(found.missing),
            "returned_in_source": value.int(found.returned),
            "reconciled_at": value.text(options.at.isoformat(timespec="seconds")),
        }


def _standing(current: Snapshot) -> dict[str, dg.MetadataValue]:
    from etl_platform.lakehouse.reconcile import RECONCILED

    last = current.annotations().get(RECONCILED)
    return {} if last is None else {"reconciled_at": dg.MetadataValue.text(last)}


def _only(reader: pa.RecordBatchReader, columns: tuple[str, ...]) -> pa.RecordBatchReader:
    import pyarrow as pa

    schema = pa.schema([reader.schema.field(name) for name in columns])

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in reader:
            yield batch.select(list(columns))

    return pa.RecordBatchReader.from_batches(schema, batches())


def with_mark(reader: pa.RecordBatchReader, column: str) -> pa.RecordBatchReader:
    """The rows with the marking column, null in each: whatever is read is not deleted.

    Raises:
        PermanentError: the source has a column of that name.
    """
    import pyarrow as pa

    if column in reader.schema.names:
        raise PermanentError(
            f"the source has a column {column!r} of its own",
            fix="give incremental.deletes.column another name",
        )
    kind = pa.timestamp("us", tz="UTC")
    schema = reader.schema.append(pa.field(column, kind))

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in reader:
            nulls = pa.nulls(batch.num_rows, kind)
            yield pa.RecordBatch.from_arrays([*batch.columns, nulls], schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())
