"""A read that is cut off: what was delivered whole is published, and the retry goes on from there.

That is exact only where rows arrive in the cursor's order and are published by key. Then everything
below the largest value delivered has arrived, its commit carries that watermark, and what changed
since comes with the next read, as it does after every run. A table that is replaced, or a period of
it, has to be one moment of the source: it is read again from its beginning.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import dagster as dg

from etl_platform.core.errors import SourceUnavailable

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_platform.core.names import TableName
    from etl_platform.lakehouse import Lake
    from etl_platform.quality import Contract
    from etl_platform.sources.database import Database, Extraction

_SERVERS = frozenset({"mysql", "postgresql"})
"""A file has no connection that could be lost, and SQLite's texts no order but their own."""
_JUDGED_BY_ROW = frozenset(
    {"dtype", "foreign_key", "length", "not_null", "range", "regex", "set", "unique"}
)


def can_resume(extraction: Extraction, contract: Contract, database: Database) -> bool:
    """Whether a part of these rows may be published on its own.

    A declared type may have another order than the source's, and a rule about the batch as a whole
    says nothing about a part.
    """
    cursor = extraction.cursor
    return (
        cursor is not None
        and bool(cursor.key)
        and cursor.column not in extraction.types
        and database.dialect.name in _SERVERS
        and all(rule.kind in _JUDGED_BY_ROW for rule in contract.rules)
    )


@dataclass
class Prefix:
    """The rows of an ordered read up to a fault, if one comes after some progress.

    Args:
        column: the cursor.
        after: the watermark from which the read began; what goes no further is not worth a commit.
    """

    column: str
    after: object | None
    fault: SourceUnavailable | None = field(default=None, init=False)
    rows: int = field(default=0, init=False)

    def until_fault(self, reader: pa.RecordBatchReader) -> pa.RecordBatchReader:
        """The same rows; a fault ends them, and is kept instead of raised."""
        import pyarrow as pa

        return pa.RecordBatchReader.from_batches(reader.schema, self._batches(reader))

    def _batches(self, reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        import pyarrow.compute as pc

        reached = None
        batches = iter(reader)
        while True:
            try:
                batch = next(batches, None)
            except SourceUnavailable as fault:
                if not self._is_progress(reader.schema.field(self.column).type, reached):
                    raise
                self.fault = fault
                return
            if batch is None:
                return
            largest = pc.max(batch.column(self.column)).as_py()
            reached = largest if largest is not None else reached
            self.rows += batch.num_rows
            yield batch

    def _is_progress(self, kind: pa.DataType, reached: object) -> bool:
        import pyarrow as pa
        from pyarrow import types as t

        # Text is ordered by the database's collation, and NaN is above all floats or below.
        if reached is None or not (t.is_integer(kind) or t.is_decimal(kind) or t.is_temporal(kind)):
            return False
        if self.after is None:
            return True
        return reached > pa.scalar(str(self.after)).cast(kind).as_py()


def part_event(table: TableName, prefix: Prefix, watermark: str | None) -> dg.AssetObservation:
    """What Dagster shows of a part that was published before the retry."""
    return dg.AssetObservation(
        asset_key=dg.AssetKey(table.key),
        description="The source dropped the connection; the rows until then are published",
        metadata={
            "rows_read": prefix.rows,
            "goes_on_after": watermark or "",
            "fault": str(prefix.fault),
        },
    )


def retry_metadata(
    context: dg.AssetExecutionContext, lake: Lake, table: TableName, after: object | None
) -> dict[str, dg.MetadataValue]:
    """How often this run was interrupted, and where it went on."""
    if not context.retry_number:
        return {}
    value = dg.MetadataValue
    found: dict[str, dg.MetadataValue] = {"retries": value.int(context.retry_number)}
    receipts = [c.receipt for c in lake.history(table, 20)] if lake.exists(table) else []
    parts = sum(1 for r in receipts if r and r.run_id == context.run.run_id and r.mode == "upsert")
    if parts:
        found["parts_published_before"] = value.int(parts)
        found["resumed_from"] = value.text(str(after))
    else:
        found["resumed_from"] = value.text("the beginning: nothing had been published")
    return found
