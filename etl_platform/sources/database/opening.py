"""What engines have in common: the preflight of columns, the schema, a reader that has begun."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from etl_platform.selection import Capabilities, Degradation

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_platform.sources.database.policy import TargetColumn


def preflight(
    name: str,
    kind: str,
    columns: Sequence[TargetColumn],
    changes: Callable[[TargetColumn], str | None],
    prior_rows_per_s: float,
    *,
    parallel: bool = False,
) -> Capabilities:
    """What a streaming engine for one kind of database can do with these columns.

    Args:
        changes: what the engine would do to a column's values, or None.
        prior_rows_per_s: the speed to expect before anything was measured.
        parallel: whether it may read with several connections.
    """
    degrades = tuple(
        Degradation(column.name, why) for column in columns if (why := changes(column))
    )
    return Capabilities(
        name=name,
        kinds=frozenset({kind}),
        lossless=bool(columns) and not degrades,
        streaming=True,
        parallel=parallel,
        degrades=degrades,
        prior_rows_per_s=prior_rows_per_s,
    )


def schema_of(columns: Sequence[TargetColumn]) -> pa.Schema:
    """The Arrow schema of what is read."""
    import pyarrow as pa

    return pa.schema([pa.field(c.name, c.type, c.nullable) for c in columns])


def started(schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> pa.RecordBatchReader:
    """A reader over a generator that has been started: its first batch is fetched here.

    Errors of the first rows are raised here, and a reader that is closed early, unread, still gives
    back what the generator holds.
    """
    import pyarrow as pa

    return pa.RecordBatchReader.from_batches(schema, _from(next(batches, None), batches))


def _from(first: pa.RecordBatch | None, rest: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    if first is not None:
        yield first
        first = None
        yield from rest
