"""A topic as a stream of exact ranges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from etl_platform.core.errors import EtlError, PermanentError
from etl_platform.sources.stream.kafka.client import Connection
from etl_platform.sources.stream.kafka.ends import Topic, Watermarks
from etl_platform.sources.stream.kafka.options import KafkaOptions, Setting
from etl_platform.sources.stream.kafka.reading import Reading, Span
from etl_platform.sources.stream.protocol import (
    PartitionEnd,
    PositionsLost,
    ReadLimits,
    StreamEnds,
    StreamInfo,
)
from etl_platform.sources.stream.ranges import Range, Ranges

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(slots=True)
class KafkaStream:
    """One topic. Positions are offsets; a partition's name is its number as text.

    Only committed messages are read, and ends are those of committed messages. A compacted topic
    may give fewer messages when a range is read again: its broker removes those that a later one
    of the same key replaced, and nothing tells.
    """

    options: KafkaOptions
    _topic: Topic | None = field(default=None, init=False, repr=False)
    _login: dict[str, Setting] = field(
        default_factory=dict[str, Setting], init=False, repr=False, compare=False
    )

    @property
    def info(self) -> StreamInfo:
        """What messages look like: positions are int64."""
        import pyarrow as pa

        address = Connection(self.options).address
        return StreamInfo(pa.int64(), address, self.options.topic, "kafka")

    def ends(self, timeout_s: float, after: Mapping[str, int] | None = None) -> StreamEnds:
        """Two rounds of requests, whatever the number of partitions; clients stay open between
        calls.

        ``incarnation`` is the topic's id (Kafka 2.8 and later).

        Raises:
            StreamUnavailable: the broker does not answer in time.
            PermanentError: there is no such topic, or it may not be read.
        """
        login = self.options.client_settings()
        if login != self._login:
            # A client keeps the password that it was made with.
            self.close()
            self._login = login
        if self._topic is None:
            self._topic = Topic(Connection(self.options))
        try:
            found = self._topic.ends(timeout_s)
        except EtlError:
            # The next call connects at once, where a client that failed waits for seconds.
            self.close()
            raise
        return StreamEnds(
            {str(number): _end(marks) for number, marks in found.partitions.items()},
            found.incarnation,
        )

    def incarnation(self, timeout_s: float) -> str:
        """The topic's id; as much work as :meth:`ends`."""
        return self.ends(timeout_s).incarnation

    def read(self, ranges: Ranges, limits: ReadLimits | None = None) -> Iterator[pa.RecordBatch]:
        """One consumer reads all ranges; librdkafka fetches from every broker at the same time.

        A batch may hold messages of several partitions. Memory: about 16 MB of fetched messages
        that wait, one batch of at most 32 MB, and what one request brings.

        Raises:
            PositionsLost: messages of a range are gone, or the topic was made again meanwhile.
            StreamUnavailable: the broker stays silent for ``idle_timeout_s``.
            PermanentError: there is no such topic or partition, or it may not be read.
        """
        limits = limits or ReadLimits()
        wanted = [one for one in ranges if not one.empty]
        if not wanted:
            return
        topic = Topic(Connection(self.options))
        try:
            before = topic.ends(limits.idle_timeout_s)
            spans = [self._span(one, before.partitions) for one in wanted]
            consumer = topic.connection.consumer()
            try:
                pending = {span.partition: span for span in spans}
                yield from Reading(topic.connection, consumer, limits, pending).batches()
            finally:
                consumer.close()
            after = topic.ends(limits.idle_timeout_s).incarnation
            if after and before.incarnation and after != before.incarnation:
                raise PositionsLost(
                    f"topic {self.options.topic!r} was deleted and made again while it was read",
                    fix="start the stream anew",
                )
        finally:
            topic.close()

    def close(self) -> None:
        """Let go of connections; the next call opens new ones."""
        if self._topic is not None:
            self._topic.close()
            self._topic = None

    def _span(self, wanted: Range, marks: Mapping[int, Watermarks]) -> Span:
        name = f"topic {self.options.topic!r}, partition {wanted.partition}"
        number = int(wanted.partition) if wanted.partition.isdecimal() else -1
        found = marks.get(number)
        if found is None:
            raise PermanentError(
                f"{name}: there is no such partition",
                valid=f"0 to {len(marks) - 1}",
                fix="if the topic was made again with fewer partitions, start the stream anew",
            )
        first = found.low if wanted.after is None else wanted.after + 1
        if min(first, wanted.through) < found.low:
            raise PositionsLost(
                f"{name}: messages from {first} through {wanted.through} were asked for, and the "
                f"first that is still there is {found.low}",
                fix="keep messages for longer (retention.ms, retention.bytes), or start the "
                "stream anew",
            )
        if wanted.through >= found.high:
            raise PositionsLost(
                f"{name}: messages through {wanted.through} were asked for, and it ends before "
                f"{found.high}: the topic was made again, or its broker lost data",
                fix="start the stream anew",
            )
        return Span(number, first, wanted.through)


def _end(marks: Watermarks) -> PartitionEnd:
    return PartitionEnd(
        earliest=None if marks.low >= marks.high else marks.low,
        latest=marks.high - 1 if marks.high > 0 else None,
        newest_at=marks.newest_at,
    )
