"""Exactly the messages of some spans, from one consumer."""

from __future__ import annotations

import gc
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl_platform.core.errors import TransientError
from etl_platform.sources.stream.kafka.batches import places, to_arrow
from etl_platform.sources.stream.kafka.client import Connection
from etl_platform.sources.stream.kafka.failures import PARTITION_END, UNKNOWN_TOPIC
from etl_platform.sources.stream.protocol import ReadLimits

if TYPE_CHECKING:
    import pyarrow as pa
    from confluent_kafka import Consumer, Message, TopicPartition

_CALL_MESSAGES = 10_000
_CALL_BYTES = 8 << 20
_BATCH_BYTES = 32 << 20
_UNKNOWN_BYTES = 8 << 10
# A call gives what has come by then: when messages suddenly are large it holds no more of them
# than the broker sends in this time.
_CALL_S = 0.02


@dataclass(frozen=True, slots=True)
class Span:
    """Positions of a partition that are to be read, both included."""

    partition: int
    first: int
    last: int


@dataclass(slots=True)
class Reading:
    """One pass over spans of several partitions.

    ``pending`` is what is still to come. A span is done when a message at or past its last
    position arrives, or the broker says that the partition ends behind it; so positions without a
    message (compacted away, markers of transactions, aborted messages) end it like any other.
    """

    connection: Connection
    consumer: Consumer
    limits: ReadLimits
    pending: dict[int, Span]

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Batches of at most ``batch_rows`` rows and about 32 MB; one may hold several partitions.

        Raises:
            PositionsLost: the broker no longer has a position.
            StreamUnavailable: nothing came for ``idle_timeout_s``.
        """
        self.consumer.assign([self._place(span) for span in self.pending.values()])
        held: list[pa.RecordBatch] = []
        rows = size_bytes = 0
        for batch in self._calls():
            if held and (
                rows + batch.num_rows > self.limits.batch_rows
                or size_bytes + batch.nbytes > _BATCH_BYTES
            ):
                yield _joined(held)
                held, rows, size_bytes = [], 0, 0
            held.append(batch)
            rows += batch.num_rows
            size_bytes += batch.nbytes
        if held:
            yield _joined(held)

    def _calls(self) -> Iterator[pa.RecordBatch]:
        heard, mean_bytes = time.monotonic(), _UNKNOWN_BYTES
        while self.pending:
            left = sum(span.last - span.first + 1 for span in self.pending.values())
            room = max(_CALL_BYTES // mean_bytes, 1)
            count = min(_CALL_MESSAGES, self.limits.batch_rows, left, room)
            with _uncollected():
                came, batch, events = self._fetched(count)
            if came:
                self.connection.trouble = None
                if batch is not None:
                    mean_bytes = max(batch.nbytes // batch.num_rows, 1)
                    yield batch
                heard = time.monotonic()  # the time that the reader took is not the broker's
            elif time.monotonic() - heard > self.limits.idle_timeout_s:
                raise self.connection.failure(None, f"while reading, with {left} positions to come")
            # After the messages: the end of a partition comes behind its last ones.
            for event in events:
                self._told(event)

    def _fetched(self, count: int) -> tuple[bool, pa.RecordBatch | None, list[Message]]:
        """One call: whether messages came, those of them that are wanted, and events."""
        from confluent_kafka import Message

        messages = self.consumer.consume(count, timeout=_CALL_S)
        events: list[Message] = []
        if any(map(Message.error, messages)):
            events = [message for message in messages if message.error()]
            messages = [message for message in messages if not message.error()]
        return bool(messages), self._taken(messages) if messages else None, events

    def _taken(self, messages: list[Message]) -> pa.RecordBatch | None:
        """Those messages that lie in a span and were not given before."""
        import numpy as np

        partitions, offsets = places(messages)
        size = int(partitions.max()) + 1
        first, last = np.zeros(size, np.int64), np.full(size, -1, np.int64)
        for number, span in self.pending.items():
            if number < size:
                first[number], last[number] = span.first, span.last
        wanted = (offsets >= first[partitions]) & (offsets <= last[partitions])
        for number in np.bincount(partitions).nonzero()[0].tolist():
            self._reached(number, int(offsets[partitions == number][-1]))
        if not wanted.all():
            messages = [messages[index] for index in wanted.nonzero()[0].tolist()]
            partitions, offsets = partitions[wanted], offsets[wanted]
        return to_arrow(messages, partitions, offsets) if messages else None

    def _told(self, event: Message) -> None:
        error = event.error()
        if error is None:
            return
        if error.name() == PARTITION_END:
            self._reached(event.partition() or 0, (event.offset() or 0) - 1)
            return
        failure = self.connection.failure(error, "while reading")
        # A broker that starts again may not know its topics for a moment.
        if isinstance(failure, TransientError) or error.name() == UNKNOWN_TOPIC:
            self.connection.trouble = error
            return
        raise failure

    def _reached(self, number: int, position: int) -> None:
        """Nothing up to this position comes any more."""
        span = self.pending.get(number)
        if span is None or position < span.first:
            return
        if position < span.last:
            self.pending[number] = Span(number, position + 1, span.last)
            return
        del self.pending[number]
        self.consumer.incremental_unassign([self._place(span)])

    def _place(self, span: Span) -> TopicPartition:
        from confluent_kafka import TopicPartition

        return TopicPartition(self.connection.options.topic, span.partition, span.first)


@contextmanager
def _uncollected() -> Generator[None]:
    """No search for cycles of references while thousands of messages are made and let go.

    Messages are in no cycle, and each few hundred of them let Python look through all modules:
    nearly half of the time of reading.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    import pyarrow as pa

    return pa.Table.from_batches(batches).combine_chunks().to_batches()[0]
