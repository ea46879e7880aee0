"""The general engine: SQLAlchemy, server-side cursors, whole columns handed to Arrow.

Where the time goes (500,000 rows x 9 columns from PostgreSQL): the driver's parsing into tuples is
two thirds of it, transposing and Arrow one third. Two choices halve the total: chunks small enough
for the processor's cache, and no garbage collection while millions of tuples are made, which it
would walk again and again for nothing.
"""

from __future__ import annotations

import gc
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, cast

from etl_platform.selection import Capabilities
from etl_platform.sources.database.conversion import to_array
from etl_platform.sources.database.dialects import known_kinds
from etl_platform.sources.database.opening import schema_of, started
from etl_platform.sources.database.statements import plan_read

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlalchemy import Connection, CursorResult

    from etl_platform.sources.database.database import Database
    from etl_platform.sources.database.extraction import Extraction
    from etl_platform.sources.database.policy import TargetColumn

_FIRST_CHUNK_ROWS = 64
_MAX_CHUNK_ROWS = 8_192
_MAX_CHUNK_BYTES = 8 * 1024 * 1024
_MAX_BATCH_BYTES = 32 * 1024 * 1024
_GROWTH = 8


class SqlAlchemyEngine:
    """Reads every database that has a dialect here, and every column that has a type."""

    name = "sqlalchemy"

    def capabilities(self, columns: tuple[TargetColumn, ...]) -> Capabilities:
        """It can do everything that can be planned: what does not fit is an error in any engine."""
        del columns
        return Capabilities(
            name=self.name,
            kinds=known_kinds(),
            lossless=True,
            streaming=True,
            prior_rows_per_s=100_000,
        )

    def read(
        self, database: Database, extraction: Extraction, batch_rows: int
    ) -> pa.RecordBatchReader:
        """See :func:`~.engines.extract`."""
        with ExitStack() as opening:
            connection = opening.enter_context(database.session())
            plan = plan_read(connection, database.dialect, extraction)
            database.dialect.before_read(connection)
            result = connection.execution_options(
                stream_results=True, max_row_buffer=_MAX_CHUNK_ROWS
            ).execute(plan.statement)
            schema = schema_of(plan.columns)
            rows = _Rows(database, result, plan.columns, extraction.where)
            opening.callback(rows.close, connection)
            batches = _batches(opening.pop_all(), rows, schema, batch_rows)
        return started(schema, batches)


class _Rows:
    """An open cursor, fetched and transposed in chunks whose size follows the rows' width."""

    def __init__(
        self,
        database: Database,
        result: CursorResult[Any],
        columns: tuple[TargetColumn, ...],
        where: str,
    ) -> None:
        self._database = database
        self._result = result
        self._columns = columns
        self._where = where
        self._read = 0
        self._chunk_rows = _FIRST_CHUNK_ROWS
        self._complete = False

    def close(self, connection: Connection) -> None:
        """Close the cursor; rows still on their way are given up, not waited for."""
        if self._complete:
            self._result.close()
        else:
            self._database.dialect.abandon(connection, self._result)

    def fetch(self, schema: pa.Schema, most: int) -> pa.RecordBatch | None:
        """The next rows, at most ``most``; None after the last."""
        import pyarrow as pa

        with self._database.faults(f"reading {self._where}"), _no_garbage_collection():
            rows = _raw_rows(self._result, min(self._chunk_rows, most))
            if not rows:
                self._complete = True
                return None
            count = len(rows)
            values = list(zip(*rows, strict=True))
            del rows
        arrays = [
            to_array(value, column, where=self._where, first_row=self._read + 1)
            for value, column in zip(values, self._columns, strict=True)
        ]
        self._read += count
        chunk = pa.RecordBatch.from_arrays(arrays, schema=schema)
        fitting = max(1, _MAX_CHUNK_BYTES * count // max(1, chunk.nbytes))
        self._chunk_rows = min(fitting, self._chunk_rows * _GROWTH, _MAX_CHUNK_ROWS)
        return chunk


def _raw_rows(result: CursorResult[Any], count: int) -> list[tuple[Any, ...]]:
    """The driver's own tuples, without SQLAlchemy's Row objects around them.

    They have to come through the result's fetch strategy: a streamed result has fetched some of
    the rows into a buffer of its own, which the driver's cursor does not give again.
    """
    cursor = cast("Any", result.cursor)  # None once the last row was given: then it is not used
    return list(result.cursor_strategy.fetchmany(result, cursor, count))


def _joined(chunks: list[pa.RecordBatch]) -> pa.RecordBatch:
    import pyarrow as pa

    return pa.concat_batches(chunks)  # pyright: ignore[reportAttributeAccessIssue]  # missing in stubs


def _batches(
    opened: ExitStack, rows: _Rows, schema: pa.Schema, batch_rows: int
) -> Iterator[pa.RecordBatch]:
    with opened:
        chunks: list[pa.RecordBatch] = []
        count = size = 0
        while (chunk := rows.fetch(schema, batch_rows - count)) is not None:
            chunks.append(chunk)
            count += chunk.num_rows
            size += chunk.nbytes
            if count >= batch_rows or size >= _MAX_BATCH_BYTES:
                batch = _joined(chunks)
                chunks = []
                count = size = 0
                yield batch
        if chunks:
            yield _joined(chunks)


@contextmanager
def _no_garbage_collection() -> Generator[None]:
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
