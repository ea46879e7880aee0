"""Which messages a batch holds: exact ranges of positions, one per partition of the stream."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from etl_platform.core.errors import PermanentError


@dataclass(frozen=True, slots=True)
class Range:
    """Messages of one partition with ``after < position <= through``.

    Positions are integers that grow within a partition: offsets in Kafka, sequence numbers in
    Kinesis. ``after`` is None where the partition is read from its very beginning. ``estimate`` is
    how many messages that is at most, None where only reading can tell. ``first`` is the position
    of its first message, where positions do not count messages and it was seen: a reader that does
    not find it there knows that retention took it.
    """

    partition: str
    after: int | None
    through: int
    estimate: int | None = None
    first: int | None = None

    def __post_init__(self) -> None:
        if self.after is not None and self.through < self.after:
            raise PermanentError(
                f"partition {self.partition!r}: a range cannot end at {self.through}, before its "
                f"beginning after {self.after}"
            )

    @property
    def empty(self) -> bool:
        """Whether no position lies in it."""
        return self.after == self.through

    def joined(self, following: Range) -> Range:
        """This range and the one that begins where it ends, as one."""
        known = self.estimate is not None and following.estimate is not None
        total = (self.estimate or 0) + (following.estimate or 0) if known else None
        first = following.first if self.empty else self.first
        return Range(self.partition, self.after, following.through, total, first)


Ranges = tuple[Range, ...]


def to_json(ranges: Iterable[Range]) -> str:
    """As the metastore and the lake keep them: positions as text, so that none is rounded."""
    return json.dumps(
        [
            {
                "partition": one.partition,
                "after": None if one.after is None else str(one.after),
                "through": str(one.through),
                "estimate": one.estimate,
                **({} if one.first is None else {"first": str(one.first)}),
            }
            for one in ranges
        ],
        separators=(",", ":"),
    )


def from_json(text: str) -> Ranges:
    """The ranges that :func:`to_json` wrote."""
    return tuple(
        Range(
            one["partition"],
            None if one["after"] is None else int(one["after"]),
            int(one["through"]),
            one["estimate"],
            int(one["first"]) if "first" in one else None,
        )
        for one in json.loads(text)
    )


def union(batches: Iterable[Ranges]) -> Ranges:
    """One range per partition that holds exactly the messages of consecutive batches.

    Raises:
        PermanentError: two ranges of a partition neither touch nor follow each other, so that
            their union would hold messages of none.
    """
    found: dict[str, Range] = {}
    for one in (one for ranges in batches for one in ranges):
        before = found.get(one.partition)
        if before is None:
            found[one.partition] = one
            continue
        if one.after != before.through:
            raise PermanentError(
                f"partition {one.partition!r}: a range after {one.after} does not follow one "
                f"through {before.through}"
            )
        found[one.partition] = before.joined(one)
    return tuple(sorted(found.values(), key=lambda one: one.partition))


def following(last: Mapping[str, int], ends: Mapping[str, int]) -> Ranges:
    """What has come since: for each partition from its last position to its end.

    Args:
        last: the last position taken, by partition; a partition that is missing is new.
        ends: the last position that there is, by partition.
    """
    return tuple(
        Range(name, last.get(name), end)
        for name, end in sorted(ends.items())
        if end > last.get(name, -1)
    )
