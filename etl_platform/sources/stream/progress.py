"""How far a stream is published: what batches held, and what still waits."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from etl_platform.sources.stream.protocol import StreamEnds
from etl_platform.sources.stream.ranges import Range, Ranges


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """What one publication of a batch held.

    Attributes:
        messages: that were read.
        rows: that were published.
        dead_letters: messages that did not become rows.
        size_bytes: of the messages as they came, in Arrow.
        seconds: of the materialisation.
        newest: by partition the broker's time of the last message.
    """

    messages: int
    rows: int
    dead_letters: int
    size_bytes: int
    seconds: float
    newest: Mapping[str, datetime] = field(default_factory=dict[str, datetime])

    @property
    def message_bytes(self) -> float | None:
        """Mean size of a message; None for a batch without any."""
        return self.size_bytes / self.messages if self.messages else None

    def to_json(self) -> str:
        """As the metastore keeps it."""
        body = {name: getattr(self, name) for name in _NUMBERS}
        newest = {name: moment.isoformat() for name, moment in self.newest.items()}
        return json.dumps({**body, "newest": newest}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> BatchOutcome:
        """What :meth:`to_json` wrote."""
        body = json.loads(text)
        newest = {name: datetime.fromisoformat(one) for name, one in body.pop("newest").items()}
        return cls(**body, newest=newest)


_NUMBERS = ("messages", "rows", "dead_letters", "size_bytes", "seconds")


@dataclass(frozen=True, slots=True)
class SeenEnd:
    """The end of a partition at the last look, and when all of it was last seen published."""

    latest: int | None
    level_at: datetime | None


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """What of a partition is not published.

    ``rows`` is None where positions do not count messages. ``seconds`` is the longest that the
    oldest of them can have waited, 0 when there is none and None when nothing is known.
    """

    partition: str
    rows: int | None
    seconds: float | None

    @property
    def level(self) -> bool:
        """Whether everything is published."""
        return self.rows == 0


def partition_lags(
    ends: Mapping[str, SeenEnd],
    cut: Ranges,
    unfinished: Iterable[Ranges],
    moment: datetime,
    newest: Mapping[str, datetime] | None = None,
    *,
    counted: bool = True,
) -> tuple[PartitionLag, ...]:
    """The lag of every partition, by name.

    Args:
        ends: at the last look.
        cut: ranges of the newest batch: everything up to them is in some batch.
        unfinished: ranges of batches that were never published.
        moment: the time that seconds are counted to.
        newest: by partition the broker's time of the last message that was published.
        counted: whether positions count messages.
    """
    taken = {one.partition: one.through for one in cut}
    waiting: dict[str, int] = {}
    for one in (one for ranges in unfinished for one in ranges if not one.empty):
        waiting[one.partition] = waiting.get(one.partition, 0) + _positions(one)
    found: list[PartitionLag] = []
    for name, end in sorted(ends.items()):
        uncut = 0 if end.latest is None else max(0, end.latest - taken.get(name, -1))
        rows = uncut + waiting.get(name, 0)
        known = [at for at in (end.level_at, (newest or {}).get(name)) if at is not None]
        seconds = max(0.0, (moment - max(known)).total_seconds()) if known else None
        if not rows:
            found.append(PartitionLag(name, 0, 0.0))
        else:
            found.append(PartitionLag(name, rows if counted else None, seconds))
    return tuple(found)


def seen_ends(
    ends: StreamEnds, before: Mapping[str, SeenEnd], lags: Iterable[PartitionLag], moment: datetime
) -> dict[str, SeenEnd]:
    """What to keep of a look: a partition that is level now was so at this moment."""
    level = {one.partition for one in lags if one.level}
    nothing = SeenEnd(None, None)
    return {
        name: SeenEnd(end.latest, moment if name in level else before.get(name, nothing).level_at)
        for name, end in ends.partitions.items()
    }


def ends_to_json(ends: Mapping[str, SeenEnd]) -> str:
    """As the metastore keeps them: positions as text, so that none is rounded."""
    return json.dumps(
        {
            name: [
                None if end.latest is None else str(end.latest),
                None if end.level_at is None else end.level_at.isoformat(),
            ]
            for name, end in ends.items()
        },
        separators=(",", ":"),
    )


def ends_from_json(text: str) -> dict[str, SeenEnd]:
    """What :func:`ends_to_json` wrote."""
    return {
        name: SeenEnd(
            None if latest is None else int(latest),
            None if level_at is None else datetime.fromisoformat(level_at),
        )
        for name, (latest, level_at) in json.loads(text).items()
    }


def _positions(one: Range) -> int:
    return one.through - (-1 if one.after is None else one.after)
