"""The fast engine for PostgreSQL: ``COPY ... TO STDOUT`` as CSV, parsed by Arrow a block at a time.

The binary format sends 1.5 times the bytes for TPC-H's lineitem, and a value's place in a row
depends on the lengths of those before it, so that every column has to be gathered value by value.
Rows are taken from the connection in a thread of their own, ahead of what parses and writes them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from etl_platform.core.errors import SourceUnavailable
from etl_platform.selection import Capabilities, EngineFault
from etl_platform.sources.database.copy_rows import ENGINE, CopyRows
from etl_platform.sources.database.csv_blocks import CsvBlocks, Unreadable
from etl_platform.sources.database.dialects.postgresql import quoted_statement
from etl_platform.sources.database.opening import preflight, schema_of, started
from etl_platform.sources.database.page_ranges import (
    PageRange,
    export_snapshot,
    most_connections,
    page_ranges,
    within,
)
from etl_platform.sources.database.statements import plan_read
from etl_platform.sources.read_ahead import Producer, read_ahead

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlalchemy import Connection

    from etl_platform.sources.database.database import Database
    from etl_platform.sources.database.extraction import Extraction
    from etl_platform.sources.database.policy import TargetColumn
    from etl_platform.sources.database.statements import ReadPlan

_AHEAD = 1


class CopyEngine:
    """Reads whatever PostgreSQL can select and CSV can tell exactly: everything but arrays."""

    name = ENGINE

    def capabilities(self, columns: tuple[TargetColumn, ...]) -> Capabilities:
        """What it can do with these columns."""
        return preflight(self.name, "postgresql", columns, _cannot, 600_000, parallel=True)

    def read(
        self, database: Database, extraction: Extraction, batch_rows: int
    ) -> pa.RecordBatchReader:
        """See :func:`~.engines.extract`.

        Raises:
            EngineFault: the parser fails on what the server sent.
        """
        with ExitStack() as opening:
            leader = opening.enter_context(database.session())
            plan = plan_read(leader, database.dialect, extraction)
            most = most_connections(database, extraction)
            ranges = page_ranges(leader, extraction, plan, most)
            parts = deque(_parts(leader, extraction, plan, ranges))
            connections = [leader]
            if ranges:
                connections += _workers(opening, database, export_snapshot(leader), most - 1)
            readers = [
                partial(_blocks, database, connection, parts, batch_rows)
                for connection in connections
            ]
            batches = _batches(opening.pop_all(), readers)
        return started(schema_of(plan.columns), batches)


def _workers(
    opening: ExitStack, database: Database, snapshot: str, most: int
) -> Iterator[Connection]:
    """Connections on the leader's snapshot: as many as there are, for fewer read the same rows."""
    for _ in range(most):
        try:
            yield opening.enter_context(database.session(snapshot))
        except SourceUnavailable:
            return


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


@dataclass(frozen=True, slots=True)
class _Part:
    """What one statement reads, and what understands it."""

    statement: bytes
    blocks: CsvBlocks


def _parts(
    leader: Connection, extraction: Extraction, plan: ReadPlan, ranges: tuple[PageRange, ...]
) -> Iterator[_Part]:
    if not ranges:
        yield _Part(_copy_statement(leader, plan), CsvBlocks(plan.columns, extraction.where))
    for pages in ranges:
        blocks = CsvBlocks(plan.columns, f"{extraction.where}, {pages}")
        yield _Part(_copy_statement(leader, within(plan, pages)), blocks)


def _blocks(
    database: Database,
    connection: Connection,
    parts: deque[_Part],
    batch_rows: int,
    check: Callable[[], None],
) -> Iterator[tuple[CsvBlocks, bytes, int]]:
    """Everything that one connection reads: part after part, until none is left."""
    while parts:
        try:
            part = parts.popleft()
        except IndexError:  # another connection was faster
            return
        with database.faults("reading"):
            rows = CopyRows(connection, part.statement, check)
        while True:
            with database.faults("reading"):
                block, count = rows.block(batch_rows)
            if not count:
                break
            yield part.blocks, block, count
            del block  # nor while the next one is read


def _batches(
    opened: ExitStack, readers: Sequence[Producer[tuple[CsvBlocks, bytes, int]]]
) -> Iterator[pa.RecordBatch]:
    with opened:
        for blocks, block, count in read_ahead(readers, _AHEAD):
            try:
                batch = blocks.parse(block, count)
            except Unreadable as error:
                raise EngineFault(ENGINE, str(error)) from error
            del block  # not held while the batch is written
            yield batch
            del batch
