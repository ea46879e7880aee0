"""Messages that did not become rows, with their bytes: spooled while a batch is read, and put into
``<schema>.<table>__dead_letter`` in the gate's own order, before the rows are published."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from etl_platform.core.duck import literal, quote, read_parquet
from etl_platform.publishing.publish import PARTITION_COLUMN
from etl_platform.sources.stream.messages import (
    HEADERS,
    KEY,
    PARTITION,
    POSITION,
    TIMESTAMP,
    VALUE,
)

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from etl_platform.core.names import TableName
    from etl_platform.lakehouse import Lake

DECODE = "decode"
"""What ``_rule`` says of a message that could not be read."""
COLUMNS = {
    PARTITION: "_source_partition",
    POSITION: "_source_position",
    TIMESTAMP: "_source_timestamp",
    KEY: "_key",
    HEADERS: "_headers",
    VALUE: "_value",
}
"""Columns of a dead letter by those of a message."""
ROW = "_row"
"""The row as JSON where its message is gone: it was published, and a later contract rejects it."""


@dataclass(slots=True)
class DeadLetters:
    """The dead letters of one batch.

    Args:
        folder: of the spool; removed by whoever made it.
        partition: the Dagster partition.
        keeps_raw: whether all messages are spooled, because the contract may reject rows later.
    """

    folder: Path
    partition: str
    keeps_raw: bool
    rejected: int = 0
    kept_as_they_are: str | None = None
    """A SELECT of dead letters that nothing can be made of."""
    _writers: dict[str, pq.ParquetWriter] = field(
        default_factory=dict["str", "pq.ParquetWriter"], init=False
    )

    def keep(self, messages: pa.RecordBatch, rejected: pa.Table) -> None:
        """Spool a batch as it came, and what of it could not be read."""
        import pyarrow as pa

        if self.keeps_raw:
            self._write("raw", pa.Table.from_batches([messages]))
        if rejected.num_rows:
            self.rejected += rejected.num_rows
            self._write("rejected", rejected)

    def selects(self, rejected: Sequence[str]) -> list[str]:
        """SELECTs of all dead letters, given those of the rows that the contract rejects."""
        for writer in self._writers.values():
            writer.close()
        found: list[str] = []
        if "rejected" in self._writers:
            columns = ", ".join(f"{quote(old)} AS {quote(new)}" for old, new in COLUMNS.items())
            found.append(
                f"SELECT {columns}, NULL::VARCHAR AS {ROW}, {literal(DECODE)} AS _rule, "
                f"reason AS _reason, {self._own} FROM {read_parquet([self._path('rejected')])}"
            )
        found += [self._with_message(sql) for sql in rejected]
        if self.kept_as_they_are is not None:
            found.append(self.kept_as_they_are)
        return found

    @property
    def _own(self) -> str:
        return f"{literal(self.partition)}::VARCHAR AS {quote(PARTITION_COLUMN)}"

    def _with_message(self, sql: str) -> str:
        columns = ", ".join(
            f"coalesce(m.{quote(old)}, r.{quote(new)}) AS {quote(new)}"
            if old in (PARTITION, POSITION, TIMESTAMP)
            else f"m.{quote(old)} AS {quote(new)}"
            for old, new in COLUMNS.items()
        )
        return (
            f"SELECT {columns}, CASE WHEN m.{quote(PARTITION)} IS NULL THEN to_json(r)::VARCHAR "
            f"END AS {ROW}, r._rule, r._reason, {self._own} FROM ({sql}) AS r "
            f"LEFT JOIN {read_parquet([self._path('raw')])} AS m "
            f"ON m.{quote(PARTITION)} = r._source_partition "
            f"AND m.{quote(POSITION)} = r._source_position"
        )

    def _path(self, name: str) -> str:
        return str(self.folder / f"{name}.parquet")

    def _write(self, name: str, table: pa.Table) -> None:
        import pyarrow.parquet as pq

        writer = self._writers.get(name)
        if writer is None:
            writer = pq.ParquetWriter(
                self._path(name), table.schema, compression="lz4", use_dictionary=False
            )
            self._writers[name] = writer
        writer.write_table(table)


def kept_messages(
    lake: Lake, table: TableName, partition: str, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """The messages of a partition's dead letters as the broker once gave them.

    Args:
        schema: as ``messages.message_schema`` says.
    """
    from etl_platform.core.sessions import session

    columns = ", ".join(f"{quote(new)} AS {quote(old)}" for old, new in COLUMNS.items())
    relation = lake.relation_sql(table.dead_letter)
    with session(lake.settings) as con:
        reader = con.sql(
            f"SELECT {columns} FROM {relation} WHERE {quote(PARTITION_COLUMN)} = "
            f"{literal(partition)} AND {ROW} IS NULL"
        ).to_arrow_reader(65_536)
        for batch in reader:
            yield batch.cast(schema)


def without_message(lake: Lake, table: TableName, partition: str) -> str | None:
    """SELECT of a partition's dead letters that are rows, not messages; None without the table."""
    if not lake.exists(table.dead_letter):
        return None
    columns = ", ".join(
        quote(name) for name in (*COLUMNS.values(), ROW, "_rule", "_reason", PARTITION_COLUMN)
    )
    return (
        f"SELECT {columns} FROM {lake.relation_sql(table.dead_letter)} "
        f"WHERE {quote(PARTITION_COLUMN)} = {literal(partition)} AND {ROW} IS NOT NULL"
    )
