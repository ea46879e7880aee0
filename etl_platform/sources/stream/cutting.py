"""Where the next batch of a stream begins and ends, decided from its ends: nothing is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from etl_platform.sources.stream.protocol import PartitionEnd, StreamEnds
from etl_platform.sources.stream.ranges import Range, Ranges

Start = Literal["earliest", "latest"]


@dataclass(frozen=True, slots=True)
class CutLimits:
    """How much one batch may hold, and how long messages may wait for it.

    Attributes:
        max_rows: positions of all partitions together.
        max_bytes: of the messages' keys, values and headers, estimated by ``message_bytes``.
        max_age_s: a batch that is not full is cut when its first message may have waited this
            long; 0 cuts whenever there is something.
        message_bytes: what a message has weighed in earlier batches; None when there was none.
        counted: whether positions count messages, as offsets do. Others cannot be cut in the
            middle: then a batch takes all that there is.
    """

    max_rows: int = 1_000_000
    max_bytes: int = 512 * 1024 * 1024
    max_age_s: float = 0.0
    message_bytes: float | None = None
    counted: bool = True

    @property
    def rows(self) -> int:
        """How many messages fit into a batch; at least one."""
        if not self.message_bytes:
            return max(1, self.max_rows)
        return max(1, min(self.max_rows, int(self.max_bytes / self.message_bytes)))


@dataclass(frozen=True, slots=True)
class LastCut:
    """What the batch before took: its ranges name every partition known by then."""

    ranges: Ranges
    incarnation: str = ""


@dataclass(frozen=True, slots=True)
class Cut:
    """A batch to be recorded.

    Attributes:
        ranges: one of each partition that was ever seen; empty ones keep how far it was read.
        incarnation: of the stream.
        notes: what people have to be told: messages that are lost, a stream that begins anew.
        more: messages are left for another batch.
    """

    ranges: Ranges
    incarnation: str
    notes: tuple[str, ...] = ()
    more: bool = False

    @property
    def holds_messages(self) -> bool:
        """Whether there is anything to read in it."""
        return any(not one.empty for one in self.ranges)


def cut(
    ends: StreamEnds,
    last: LastCut | None,
    limits: CutLimits,
    *,
    start: Start = "earliest",
    waited_s: float | None = None,
) -> Cut | None:
    """The next batch; None when there is nothing new, or too little that has not waited yet.

    A full batch is shared between partitions so that the smallest share is as large as can be.
    A partition waits until all that its parents held is in earlier batches. Where positions do not
    count messages the look at the ends says where a batch ends (``until``), and reading tells what
    retention took since.

    Args:
        last: the batch before; None for a stream that was never read.
        start: where a stream that was never read begins. Partitions that are added later, and
            streams that were made again, are always read from their beginning.
        waited_s: seconds since the batch before was cut, the longest that a message can have
            waited for this one; None when there was none.
    """
    begun = _Beginning.of(ends, last, start, counted=limits.counted)
    free = {name: begun.backlog(name) for name in begun.open(ends)}
    waiting, budget = sum(free.values()), limits.rows
    full = limits.counted and waiting >= budget
    if not limits.counted:
        shares = begun.spans(ends, free)
        full = any(shares[name] < free[name] for name in shares)
    else:
        shares = _shares(free, budget) if full else free
    # Where reading begins, or went on after a loss, is kept although there is nothing to read.
    pinned = bool(begun.notes) or (last is None and start == "latest")
    young = waited_s is not None and waited_s < limits.max_age_s
    if not pinned and (not any(shares.values()) or (young and not full)):
        return None
    ranges = tuple(begun.range(name, shares.get(name, 0), limits, ends) for name in begun.positions)
    left = any(begun.backlog(name) > shares.get(name, 0) for name in begun.positions)
    kept = tuple(one for one in ranges if one is not None)
    return Cut(kept, ends.incarnation, begun.notes, left)


@dataclass(frozen=True, slots=True)
class _Beginning:
    """For each partition the last position before the batch (None: its very beginning)."""

    positions: Mapping[str, int | None]
    latest: Mapping[str, int | None]
    notes: tuple[str, ...]

    @classmethod
    def of(
        cls, ends: StreamEnds, last: LastCut | None, start: Start, *, counted: bool
    ) -> _Beginning:
        notes: list[str] = []
        latest = {name: end.latest for name, end in ends.partitions.items()}
        taken = {one.partition: one.through for one in last.ranges} if last is not None else {}
        if last is not None and _made_again(ends, last, taken):
            notes.append(
                "the stream was deleted and made again: positions begin anew; what the earlier one "
                f"held after {_places(taken)} cannot be read any more"
            )
            taken = {}
        if last is None and start == "latest":
            begun = {name: end for name, end in latest.items() if end is not None}
            return cls({**dict.fromkeys(sorted(latest)), **begun}, latest, ())
        positions: dict[str, int | None] = {}
        for name in sorted({*taken, *latest}):
            end = ends.partitions.get(name)
            if end is None and not counted:
                # A shard is forgotten for good, or batches would name all that ever were.
                notes.append(
                    f"partition {name}: it is closed and past retention; if it held messages after "
                    f"{taken[name]}, they are lost"
                )
                continue
            positions[name] = taken.get(name)
            if end is not None and counted:
                positions[name] = _after_gap(name, taken.get(name), end, notes, last is not None)
            elif end is not None and name in taken and _gap_possible(taken[name], end):
                notes.append(
                    f"partition {name}: the last message read is past retention, so that nobody "
                    f"can tell whether messages between it and {end.earliest} were lost"
                )
        return cls(positions, latest, tuple(notes))

    def backlog(self, name: str) -> int:
        """Positions between the beginning and the end of a partition."""
        latest = self.latest.get(name)
        if latest is None:
            return 0
        after = self.positions[name]
        return max(0, latest - (-1 if after is None else after))

    def spans(self, ends: StreamEnds, free: Mapping[str, int]) -> dict[str, int]:
        """Positions of each partition up to where the look at its end says that a batch ends."""
        until = {name: ends.partitions[name].until for name in free if name in ends.partitions}
        return {
            name: waiting
            if (end := until.get(name)) is None
            else min(waiting, max(0, end - (-1 if (at := self.positions[name]) is None else at)))
            for name, waiting in free.items()
        }

    def open(self, ends: StreamEnds) -> list[str]:
        """The partitions that may be read: children once nothing of their parents is left."""
        return [
            name
            for name in self.positions
            if not any(
                self.backlog(parent) for parent in self._parents(ends, name) if parent != name
            )
        ]

    def _parents(self, ends: StreamEnds, name: str) -> Iterable[str]:
        end = ends.partitions.get(name)
        return (one for one in end.parents if one in self.positions) if end is not None else ()

    def range(self, name: str, share: int, limits: CutLimits, ends: StreamEnds) -> Range | None:
        """The part of a partition; None where there is no position to keep yet."""
        after = self.positions[name]
        if share == 0:
            return None if after is None else Range(name, after, after, 0)
        through = (-1 if after is None else after) + share
        if limits.counted:
            return Range(name, after, through, share)
        first = ends.partitions[name].earliest
        seen = first is not None and (after is None or first > after) and first <= through
        return Range(name, after, through, first=first if seen else None)


def _gap_possible(after: int, end: PartitionEnd) -> bool:
    return end.gap_possible and end.earliest is not None and end.earliest > after


def _made_again(ends: StreamEnds, last: LastCut, taken: Mapping[str, int]) -> bool:
    if ends.incarnation and last.incarnation:
        return ends.incarnation != last.incarnation
    # A broker that cannot tell: a stream never ends before what was read of it.
    return any(
        end.latest is not None and end.latest < taken.get(name, -1)
        for name, end in ends.partitions.items()
    )


def _after_gap(
    name: str, after: int | None, end: PartitionEnd, notes: list[str], seen: bool
) -> int | None:
    """Where a partition goes on when retention took messages before they were read."""
    begin = -1 if after is None else after
    if end.earliest is None:
        # Empty: whatever there was after the last batch is gone.
        resumed = max(begin, -1 if end.latest is None else end.latest)
    else:
        resumed = max(begin, end.earliest - 1)
    if resumed == begin:
        return after
    if after is not None or seen:
        first, count = begin + 1, resumed - begin
        notes.append(
            f"partition {name}: retention removed {count:,} positions ({first} to {resumed}) "
            "before they were read"
        )
    return resumed


def _places(taken: Mapping[str, int]) -> str:
    shown = [f"{name}:{through}" for name, through in sorted(taken.items())]
    return ", ".join(shown[:8]) + (", ..." if len(shown) > 8 else "")


def _shares(waiting: Mapping[str, int], budget: int) -> dict[str, int]:
    """Max-min fair shares: who wants less than an equal part gets all, the others share the rest.

    >>> _shares({"0": 10, "1": 500, "2": 500}, 100)
    {'0': 10, '1': 45, '2': 45}
    """
    shares = dict.fromkeys(waiting, 0)
    left = sorted((name for name in waiting if waiting[name]), key=lambda name: waiting[name])
    while left and budget:
        part = max(1, budget // len(left))
        name = left.pop(0)
        shares[name] = min(waiting[name], part, budget)
        budget -= shares[name]
    return dict(sorted(shares.items()))
