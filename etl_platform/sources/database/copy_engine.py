"""The fast engine for PostgreSQL: ``COPY ... TO STDOUT`` as CSV, parsed by Arrow a block at a time.

The binary format sends 1.5 times the bytes for TPC-H's lineitem, and a value's place in a row
depends on the lengths of those before it, so that every column has to be gathered value by value.
The server sends one message for each row; taking them from the driver in C-level iterators costs
0.4 microseconds a row.
"""

from __future__ import annotations

import select
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from itertools import islice, repeat, starmap, takewhile
from operator import itemgetter
from typing import TYPE_CHECKING, Any, cast

from etl_platform.selection import Capabilities, Degradation, EngineFault
from etl_platform.sources.database.csv_blocks import CsvBlocks, Unreadable
from etl_platform.sources.database.dialects.postgresql import quoted_statement
from etl_platform.sources.database.statements import plan_read

if TYPE_CHECKING:
    import pyarrow as pa
    from psycopg.pq.abc import PGconn
    from sqlalchemy import Connection

    from etl_platform.sources.database.database import Database
    from etl_platform.sources.database.extraction import Extraction
    from etl_platform.sources.database.policy import TargetColumn
    from etl_platform.sources.database.statements import ReadPlan

_FIRST_CHUNK_ROWS = 16
_MAX_CHUNK_ROWS = 1_024
_MAX_CHUNK_BYTES = 1024 * 1024
_MAX_BLOCK_BYTES = 16 * 1024 * 1024


class CopyEngine:
    """Reads whatever PostgreSQL can select and CSV can tell exactly: everything but arrays."""

    name = "copy"

    def capabilities(self, columns: tuple[TargetColumn, ...]) -> Capabilities:
        """What it can do with these columns."""
        degrades = tuple(
            Degradation(column.name, why) for column in columns if (why := _cannot(column))
        )
        return Capabilities(
            name=self.name,
            kinds=frozenset({"postgresql"}),
            lossless=bool(columns) and not degrades,
            streaming=True,
            degrades=degrades,
            prior_rows_per_s=600_000,
        )

    def read(
        self, database: Database, extraction: Extraction, batch_rows: int
    ) -> pa.RecordBatchReader:
        """See :func:`~.engines.extract`.

        Raises:
            EngineFault: the parser fails on what the server sent.
        """
        import pyarrow as pa

        with ExitStack() as opening:
            connection = opening.enter_context(database.session())
            plan = plan_read(connection, database.dialect, extraction)
            rows = _CopyRows(connection, _copy_statement(connection, plan))
            opening.callback(rows.abandon)
            blocks = CsvBlocks(plan.columns, extraction.where)
            batches = _batches(opening.pop_all(), rows, blocks, batch_rows, database)
            # Started here so that closing it early, unread, still gives the connection back.
            first = next(batches, None)
        return pa.RecordBatchReader.from_batches(blocks.schema, _from(first, batches))


def _cannot(column: TargetColumn) -> str | None:
    import pyarrow as pa

    if pa.types.is_nested(column.type):
        return f"{column.source_type}: COPY sends arrays as text, which Arrow cannot parse"
    if column.declared and not (
        column.as_text or pa.types.is_decimal(column.type) or pa.types.is_string(column.type)
    ):
        return f"declared as {column.type}: only the general engine checks that it fits"
    return None


def _copy_statement(connection: Connection, plan: ReadPlan) -> bytes:
    """The plan's statement inside COPY, which takes no parameters: the driver quotes them."""
    import pyarrow as pa
    import sqlalchemy as sa

    selected = [
        sa.func.encode(expression, sa.literal_column("'hex'"))
        if pa.types.is_binary(column.type)
        else expression
        for expression, column in zip(plan.statement.selected_columns, plan.columns, strict=True)
    ]
    statement = plan.statement.with_only_columns(*selected, maintain_column_froms=True)
    form = "COPY ({}) TO STDOUT (FORMAT csv)"
    encoding = cast("Any", connection.connection.driver_connection).info.encoding
    return quoted_statement(connection, statement, form).encode(encoding)


class _CopyRows:
    """A running COPY: rows as the server wrote them, taken in blocks."""

    def __init__(self, connection: Connection, statement: bytes) -> None:
        driver = cast("Any", connection.connection.driver_connection)
        self._connection = connection
        self._pgconn: PGconn = driver.pgconn
        self._encoding: str = driver.info.encoding
        self._poll = select.poll()
        self._poll.register(self._pgconn.socket, select.POLLIN)
        self._messages = map(
            itemgetter(1), starmap(partial(self._pgconn.get_copy_data, 1), repeat(()))
        )
        self._chunk_rows = _FIRST_CHUNK_ROWS
        self._running = True
        self._taken = 0
        self._sent: int | None = None
        # Parameters are none, but this protocol takes one statement only, whatever the query holds.
        self._pgconn.send_query_params(statement, None)
        while self._pgconn.is_busy():
            self._wait()
        self._check_still_copying()

    def block(self, most: int) -> tuple[bytes, int]:
        """The next rows, joined, and how many: at most ``most``; fewer when they are wide."""
        parts: list[bytes] = []
        rows = size = 0
        while rows < most and size < _MAX_BLOCK_BYTES and self._running:
            wanted = min(self._chunk_rows, most - rows)
            # Empty when nothing has arrived and after the last row alike.
            taken = list(takewhile(len, islice(self._messages, wanted)))
            if taken:
                parts.append(b"".join(taken))
                rows += len(taken)
                self._taken += len(taken)
                size += len(parts[-1])
                fitting = max(1, _MAX_CHUNK_BYTES * len(taken) // len(parts[-1]))
                self._chunk_rows = min(fitting, _MAX_CHUNK_ROWS)
            if len(taken) < wanted and self._check_still_copying():
                self._wait()
        if self._sent is not None and not rows and self._sent != self._taken:
            raise EngineFault(
                CopyEngine.name, f"{self._taken} rows arrived of {self._sent} that were sent"
            )
        return b"".join(parts), rows

    def abandon(self) -> None:
        """Give up the connection if rows are still on their way: it could not be used again."""
        if self._running:
            self._connection.invalidate()

    def _wait(self) -> None:
        self._poll.poll()
        self._pgconn.consume_input()

    def _check_still_copying(self) -> bool:
        from psycopg import errors, pq

        result = self._pgconn.get_result()
        if result is not None and result.status == pq.ExecStatus.COPY_OUT:
            return True
        self._running = False
        failed = sent = None
        while result is not None:  # until the last one: only then the connection is free again
            if result.status == pq.ExecStatus.FATAL_ERROR:
                failed = failed or result
            elif result.status == pq.ExecStatus.COMMAND_OK:
                sent = result.command_tuples
            result = self._pgconn.get_result()
        if failed is not None:
            raise errors.error_from_result(failed, encoding=self._encoding)
        if sent is None:
            # A connection that is lost ends the rows as quietly as their last one does.
            raise errors.OperationalError("the connection was lost before the last row")
        self._sent = sent
        return False


def _batches(
    opened: ExitStack, rows: _CopyRows, blocks: CsvBlocks, batch_rows: int, database: Database
) -> Iterator[pa.RecordBatch]:
    with opened:
        while True:
            with database.faults("reading"):
                block, count = rows.block(batch_rows)
            if not count:
                return
            try:
                yield blocks.parse(block, count)
            except Unreadable as error:
                raise EngineFault(CopyEngine.name, str(error)) from error


def _from(first: pa.RecordBatch | None, rest: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    if first is not None:
        yield first
        first = None
        yield from rest
