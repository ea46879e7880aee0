"""A data stream as a stream of exact ranges."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from etl_platform.sources.stream.kinesis.client import Service, Shard, Summary
from etl_platform.sources.stream.kinesis.ends import Looking, ancestors
from etl_platform.sources.stream.kinesis.options import KinesisOptions
from etl_platform.sources.stream.kinesis.parallel import interleaved
from etl_platform.sources.stream.kinesis.reading import ShardReading
from etl_platform.sources.stream.protocol import (
    PositionsLost,
    ReadLimits,
    StreamEnds,
    StreamInfo,
    StreamUnavailable,
)
from etl_platform.sources.stream.ranges import Range, Ranges

if TYPE_CHECKING:
    import pyarrow as pa

_BEING_MADE = "CREATING"


@dataclass(slots=True)
class KinesisStream:
    """One data stream. Partitions are shards, positions are sequence numbers."""

    options: KinesisOptions
    _looking: Looking = field(init=False, repr=False)
    _services: dict[float, Service] = field(
        default_factory=dict[float, Service], init=False, repr=False
    )

    _login: tuple[str | None, ...] = field(default=(), init=False, repr=False)

    def __post_init__(self) -> None:
        self._looking = Looking(self.options.batch_span_s)

    @property
    def info(self) -> StreamInfo:
        """What messages look like: positions are text, 56 digits of AWS."""
        import pyarrow as pa

        where = self.options.endpoint_url or f"kinesis {self.options.region or ''}".rstrip()
        return StreamInfo(pa.string(), where, self.options.name, "kinesis")

    def ends(self, timeout_s: float, after: Mapping[str, int] | None = None) -> StreamEnds:
        """Two requests for the stream and for each shard one when it is idle, else up to six.

        ``earliest`` is the first message behind ``after``; :mod:`shard_end` tells how ``latest`` is
        found, and what that costs. ``parents`` has all ancestors: nothing is told of a shard while
        more than was seen may lie in one of them. ``incarnation`` is the moment when the stream
        was made.

        Raises:
            StreamUnavailable: the service does not answer in time.
            PermanentError: there is no such stream, or it may not be read.
        """
        deadline = time.monotonic() + timeout_s
        service = self._opened(timeout_s)
        summary = self._summary(service, deadline)
        shards = service.shards(deadline)
        found = self._looking.ends(service, shards, after or {}, summary.retention_s, deadline)
        return StreamEnds(found, summary.incarnation)

    def incarnation(self, timeout_s: float) -> str:
        """The moment when the stream was made: one request."""
        deadline = time.monotonic() + timeout_s
        return self._summary(self._opened(timeout_s), deadline).incarnation

    def read(self, ranges: Ranges, limits: ReadLimits | None = None) -> Iterator[pa.RecordBatch]:
        """Each shard is read by a thread, ``parallel`` of them at the same time; a batch holds
        messages of one shard. A shard begins when its ancestors among the ranges are finished.

        Memory: for each thread a page (10 MB at most) and two batches of about 8 MB and a page.

        Raises:
            PositionsLost: messages of a range are gone.
            StreamUnavailable: no answer for ``idle_timeout_s``, or throttled for that long.
            PermanentError: there is no such stream, or it may not be read.
        """
        limits = limits or ReadLimits()
        wanted = {one.partition: one for one in ranges if not one.empty}
        if not wanted:
            return
        service = self._opened(limits.idle_timeout_s)
        shards = service.shards(time.monotonic() + limits.idle_timeout_s)
        gone = sorted(wanted.keys() - shards.keys())
        if gone:
            raise PositionsLost(
                f"stream {self.options.name!r} has no shard {gone[0]} any more",
                fix="keep messages for longer (IncreaseStreamRetentionPeriod), or start the "
                "stream anew",
            )
        for generation in generations(wanted, shards):
            readings = [ShardReading(service, one, limits) for one in generation]
            sources = [partial(ShardReading.batches, one) for one in readings]
            yield from interleaved(sources, limits.parallel)

    def close(self) -> None:
        """Let go of connections; the next call opens new ones."""
        while self._services:
            self._services.popitem()[1].close()

    def _summary(self, service: Service, deadline: float) -> Summary:
        found = service.summary(deadline)
        if found.status == _BEING_MADE:
            raise StreamUnavailable(f"stream {self.options.name!r} is being created")
        return found

    def _opened(self, timeout_s: float) -> Service:
        """A client that waits so long for an answer, with the key that the references hold now."""
        login = self.options.credentials()
        if login != self._login:
            self.close()
            self._login = login
        if timeout_s not in self._services:
            self._services[timeout_s] = Service(self.options, timeout_s)
        return self._services[timeout_s]


def generations(wanted: Mapping[str, Range], shards: Mapping[str, Shard]) -> list[Sequence[Range]]:
    """Ranges in the order in which they may be read: those of one list at the same time."""
    depth: dict[str, int] = {}

    def count(name: str) -> int:
        if name not in depth:
            older = [one for one in ancestors(name, shards) if one in wanted]
            depth[name] = 1 + max(map(count, older), default=-1)
        return depth[name]

    made: list[list[Range]] = []
    for name in sorted(wanted, key=lambda name: (count(name), name)):
        if count(name) == len(made):
            made.append([])
        made[count(name)].append(wanted[name])
    return [*made]
