"""The fast engine for MariaDB and MySQL: the text protocol, decoded a block of rows at a time.

Values arrive as the server's own text (:mod:`.mysql_packets`) and become Arrow's types without
passing through Python (:mod:`.mysql_blocks`). Everything else is the general engine's: the same
connection, transaction, snapshot, session time zone and statement. One connection reads: neither
server lets others join its snapshot.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from etl_platform.selection import Capabilities, EngineFault
from etl_platform.sources.database.csv_blocks import Unreadable
from etl_platform.sources.database.mysql_blocks import MySqlBlocks
from etl_platform.sources.database.mysql_packets import ENGINE, RowPackets
from etl_platform.sources.database.opening import preflight, started
from etl_platform.sources.database.statements import plan_read

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa
    from sqlalchemy import Connection

    from etl_platform.sources.database.database import Database
    from etl_platform.sources.database.extraction import Extraction
    from etl_platform.sources.database.policy import TargetColumn
    from etl_platform.sources.database.statements import ReadPlan


class MySqlEngine:
    """Reads every type of the server exactly; only a type that a person declared may not fit."""

    name = ENGINE

    def capabilities(self, columns: tuple[TargetColumn, ...]) -> Capabilities:
        """What it can do with these columns."""
        return preflight(self.name, "mysql", columns, _cannot, 700_000)

    def read(
        self, database: Database, extraction: Extraction, batch_rows: int
    ) -> pa.RecordBatchReader:
        """See :func:`~.engines.extract`.

        Raises:
            EngineFault: a row of 16 MB or more, or bytes that are not what the protocol says.
        """
        with ExitStack() as opening:
            connection = opening.enter_context(database.session())
            plan = plan_read(connection, database.dialect, extraction)
            packets = RowPackets(connection.connection.driver_connection)
            opening.callback(_give_up, connection, packets)
            packets.send(_statement(connection, plan, packets.mark))
            blocks = MySqlBlocks(plan.columns, extraction.where)
            batches = _batches(opening.pop_all(), packets, blocks, batch_rows, database)
        return started(blocks.schema, batches)


def _cannot(column: TargetColumn) -> str | None:
    import pyarrow as pa

    if column.declared and not (
        column.as_text or pa.types.is_decimal(column.type) or pa.types.is_string(column.type)
    ):
        return f"declared as {column.type}: only the general engine checks that it fits"
    return None


def _statement(connection: Connection, plan: ReadPlan, mark: str) -> str:
    """The plan's statement with the mark before its columns, its values quoted by the driver."""
    import sqlalchemy as sa

    marked = plan.statement.with_only_columns(
        sa.literal_column(mark), *plan.statement.selected_columns
    )
    compiled = marked.compile(dialect=connection.dialect)
    cursor = connection.connection.cursor()
    try:
        return cursor.mogrify(compiled.string, compiled.construct_params() or {})
    finally:
        cursor.close()


def _give_up(connection: Connection, packets: RowPackets) -> None:
    if not packets.complete:
        packets.abandon()
        connection.invalidate()


def _batches(
    opened: ExitStack,
    packets: RowPackets,
    blocks: MySqlBlocks,
    batch_rows: int,
    database: Database,
) -> Iterator[pa.RecordBatch]:
    with opened:
        received = packets.blocks(batch_rows)
        while True:
            with database.faults("reading"):
                block = next(received, None)
            if block is None:
                return
            try:
                yield blocks.parse(block)
            except Unreadable as error:
                raise EngineFault(ENGINE, str(error)) from error
