"""The messages of one partition: from the broker, or from dead letters that kept their bytes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from etl_platform.core.duck import literal, quote
from etl_platform.core.errors import PermanentError
from etl_platform.core.sessions import session
from etl_platform.publishing.publish import PARTITION_COLUMN
from etl_platform.sources.read_ahead import read_ahead
from etl_platform.sources.stream.merging import passes
from etl_platform.sources.stream.messages import message_schema
from etl_platform.sources.stream.protocol import (
    PositionsLost,
    ReadLimits,
    Stream,
    StreamEnds,
)
from etl_platform.sources.stream.ranges import Range, Ranges, from_json, to_json

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_platform.components.stream_source.dead_letters import DeadLetters
    from etl_platform.components.stream_source.intake import Intake
    from etl_platform.components.stream_source.options import StreamOptions
    from etl_platform.core.names import TableName
    from etl_platform.lakehouse import Lake
    from etl_platform.metastore import StreamBatchRecord

_ENDS_TIMEOUT_S = 30.0
_AHEAD = 2
"""Batches that wait to be decoded, and to be written."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Where the rows and dead letters of a partition are."""

    lake: Lake
    table: TableName


@dataclass(frozen=True, slots=True)
class Messages:
    """What one materialisation reads.

    Attributes:
        lost: what is told of messages that are gone and were accepted to be.
        kept: set where messages come from the dead letters, and the rows that are published
            already stay.
    """

    stream: Stream
    record: StreamBatchRecord
    ranges: Ranges
    limits: ReadLimits
    lost: tuple[str, ...] = ()
    kept: Kept | None = None

    @property
    def kind(self) -> str:
        """Of the broker."""
        return self.stream.info.kind

    @property
    def note(self) -> str:
        """What the commit says of where its rows come from, as JSON."""
        record = self.record
        return json.dumps(
            {
                "partition": record.key,
                "incarnation": record.incarnation,
                "ranges": json.loads(to_json(self.ranges)),
            }
        )

    def schema(self, intake: Intake) -> pa.Schema:
        """The columns of the rows."""
        return intake.decoder.schema(self.stream.info.position)

    def rows(self, intake: Intake, lake: Lake, table: TableName) -> pa.RecordBatchReader:
        """All rows as one stream, read once.

        Columns of the table that are no longer declared stay, and have no value in these rows.
        """
        import pyarrow as pa

        declared = self.schema(intake)
        there = lake.schema(table) if lake.exists(table) else pa.schema([])
        gone = [f for f in there if f.name not in {*declared.names, PARTITION_COLUMN}]
        whole = pa.schema([*declared, *gone])
        if self.kept is not None:
            batches = self._kept_rows(intake, whole)
        else:
            # Messages are taken from the broker, decoded and written at the same time.
            broker = read_ahead([lambda _: self._from_broker()], _AHEAD)
            batches = read_ahead([lambda _: intake.decoded(broker)], _AHEAD)
            batches = _fitted(batches, whole) if gone else batches
        return pa.RecordBatchReader.from_batches(whole, batches)

    def from_dead_letters(self, lake: Lake, table: TableName, letters: DeadLetters) -> Messages:
        """The same partition without its broker.

        Raises:
            PermanentError: it was never published, so that the broker alone has its messages.
        """
        from etl_platform.components.stream_source.dead_letters import without_message

        if self.record.finished_at is None:
            raise PermanentError(
                f"{table}: {self.record.key} was never published, its dead letters are not all "
                "of it",
                fix="materialise it from the broker",
            )
        letters.kept_as_they_are = without_message(lake, table, self.record.key)
        return replace(self, kept=Kept(lake, table))

    def _from_broker(self) -> Iterator[pa.RecordBatch]:
        self._check_incarnation()
        for ranges in passes(self.ranges):
            yield from self.stream.read(ranges, self.limits)

    def _check_incarnation(self) -> None:
        ours = self.record.incarnation
        if not ours:
            return
        theirs = self.stream.incarnation(_ENDS_TIMEOUT_S)
        if theirs and ours != theirs:
            raise PositionsLost(
                f"{self.stream.info.name}: it was deleted and made again after {self.record.key} "
                "was cut, its messages are gone",
                fix="rows that were published stay; materialise it with accept_lost: true if it "
                "never was",
            )

    def _kept_rows(self, intake: Intake, whole: pa.Schema) -> Iterator[pa.RecordBatch]:
        from etl_platform.components.stream_source.dead_letters import kept_messages

        assert self.kept is not None
        lake, table = self.kept.lake, self.kept.table
        if lake.exists(table):
            yield from _published(self.kept, self.record.key, whole)
        if lake.exists(table.dead_letter):
            expected = message_schema(self.stream.info.position)
            letters = kept_messages(lake, table, self.record.key, expected)
            yield from _fitted(intake.decoded(letters), whole)


def messages_of(
    stream: Stream, record: StreamBatchRecord, options: StreamOptions, *, accept_lost: bool
) -> Messages:
    """The messages of a partition at its broker; nothing is read yet.

    Args:
        accept_lost: read what is left where messages are gone. Only for a batch that was never
            published: a replay would take rows away that cannot come back.

    Raises:
        PermanentError: losses are accepted for a batch that was published.
    """
    limits = ReadLimits(parallel=options.batch.parallel)
    found = Messages(stream, record, from_json(record.ranges), limits)
    if not accept_lost:
        return found
    if record.finished_at is not None:
        raise PermanentError(
            f"{record.stream}: {record.key} is published; reading what is left of it would take "
            "rows away",
            fix="materialise it without accept_lost, or leave it as it is",
        )
    ends = stream.ends(_ENDS_TIMEOUT_S)
    again = bool(record.incarnation and ends.incarnation not in ("", record.incarnation))
    left = [_left(one, ends, again=again) for one in found.ranges]
    kept = tuple(one for one, _ in left)
    lost = tuple(text for _, text in left if text is not None)
    return replace(found, ranges=kept, lost=lost)


def _left(wanted: Range, ends: StreamEnds, *, again: bool) -> tuple[Range, str | None]:
    """What of a range can still be read, and what is told of the rest."""
    first = wanted.first
    if first is None:
        first = 0 if wanted.after is None else wanted.after + 1
    end = ends.partitions.get(wanted.partition)
    begin = wanted.through + 1 if again or end is None or end.earliest is None else end.earliest
    gone = min(begin, wanted.through + 1) - first
    if wanted.empty or gone <= 0:
        return wanted, None
    after = first + gone - 1
    text = f"partition {wanted.partition}: positions {first} to {after} are gone"
    estimate = None if wanted.estimate is None else wanted.through - after
    resumed = begin if wanted.first is not None and begin <= wanted.through else None
    return Range(wanted.partition, after, wanted.through, estimate, resumed), text


def _published(kept: Kept, partition: str, whole: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The rows of a partition that there are."""
    there = kept.lake.schema(kept.table).names
    columns = ", ".join(
        quote(name) if name in there else f"NULL AS {quote(name)}" for name in whole.names
    )
    sql = (
        f"SELECT {columns} FROM {kept.lake.relation_sql(kept.table)} "
        f"WHERE {quote(PARTITION_COLUMN)} = {literal(partition)}"
    )
    with session(kept.lake.settings) as con:
        for batch in con.sql(sql).to_arrow_reader(65_536):
            yield batch.cast(whole)


def _fitted(batches: Iterable[pa.RecordBatch], whole: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The same rows in all columns; null where they have none."""
    import pyarrow as pa

    for batch in batches:
        columns = [
            batch.column(field.name)
            if field.name in batch.schema.names
            else pa.nulls(batch.num_rows, field.type)
            for field in whole
        ]
        yield pa.RecordBatch.from_arrays(columns, schema=whole)
