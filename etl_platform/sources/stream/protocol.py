"""What a broker has to offer; Kafka and Kinesis are each one implementation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from etl_platform.core.errors import PermanentError, TransientError
from etl_platform.sources.stream.ranges import Ranges

if TYPE_CHECKING:
    import pyarrow as pa


class StreamUnavailable(TransientError):
    """The broker does not answer."""


class PositionsLost(PermanentError):
    """Messages of a range are gone: retention removed them, or the topic was made again."""


@dataclass(frozen=True, slots=True)
class PartitionEnd:
    """How far a partition reaches now.

    Attributes:
        earliest: the first position that can still be read; None when it is empty. Brokers that
            look for ends behind the last positions taken give the first one there.
        latest: the last position that was written; None when none ever was.
        newest_at: the broker's time of the last message, where it is cheap to know.
        parents: partitions that have to be read to their end before this one (shards after a
            split or merge of shards).
        closed: nothing more will be written to it.
        until: where the next batch ends at the latest, where positions do not count messages and
            all up to ``latest`` would be more than one batch should hold.
        gap_possible: whether retention removed messages behind the last position taken cannot be
            told any more.
    """

    earliest: int | None
    latest: int | None
    newest_at: datetime | None = None
    parents: tuple[str, ...] = ()
    closed: bool = False
    until: int | None = None
    gap_possible: bool = False


@dataclass(frozen=True, slots=True)
class StreamEnds:
    """All partitions of a stream at one moment.

    ``incarnation`` changes when a stream of the same name was deleted and made again, so that
    positions of the earlier one mean nothing; empty where the broker cannot tell.
    """

    partitions: Mapping[str, PartitionEnd]
    incarnation: str = ""


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """How reading may use the machine: rows of one Arrow batch, connections at the same time."""

    batch_rows: int = 65_536
    parallel: int = 4
    idle_timeout_s: float = 30.0


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What messages of the stream look like: the Arrow type of positions, and its name for people
    (without any secret)."""

    position: pa.DataType
    address: str
    name: str
    kind: str
    extra: Mapping[str, str] = field(default_factory=dict[str, str])


class Stream(Protocol):
    """One topic or stream of a broker."""

    @property
    def info(self) -> StreamInfo: ...

    def ends(self, timeout_s: float, after: Mapping[str, int] | None = None) -> StreamEnds:
        """Where every partition begins and ends, in one round of requests.

        Args:
            timeout_s: for all of it.
            after: the last positions taken, by partition. Brokers without a call for ends look
                from there.

        Raises:
            StreamUnavailable: the broker does not answer in time.
            PermanentError: there is no such stream, or it may not be read.
        """
        ...

    def incarnation(self, timeout_s: float) -> str:
        """That of :meth:`ends`, without looking at the partitions where that costs anything.

        Raises:
            As :meth:`ends`.
        """
        ...

    def read(self, ranges: Ranges, limits: ReadLimits | None = None) -> Iterator[pa.RecordBatch]:
        """Exactly the messages of these ranges, each once, as :func:`messages.message_schema` says.

        Within a partition messages come in the order of their positions; batches of different
        partitions may alternate. Positions that hold no message (compacted away, transaction
        markers) are passed over. Memory is bounded by ``limits``, not by the ranges.

        Raises:
            PositionsLost: messages of a range are gone; nothing after them was given.
            StreamUnavailable: the broker was lost, or stays silent for ``idle_timeout_s``.
        """
        ...

    def close(self) -> None:
        """Let go of connections; the next call opens new ones."""
        ...
