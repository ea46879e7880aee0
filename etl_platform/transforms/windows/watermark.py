"""Watermarks: how far the event time of a stream has come, as a property of its batches.

The watermark before a batch follows from what earlier batches held and when they were cut, both of
which are recorded. It is the same in whatever order batches are materialised, and however often.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class WatermarkRule:
    """How the watermark follows event times; microseconds. See :class:`~.spec.WindowSpec`."""

    out_of_orderness_us: int = 0
    idle_after_us: int | None = None


@dataclass(frozen=True, slots=True)
class BatchTimes:
    """What the watermark has to know of a batch.

    Attributes:
        number: of the batch; they count up without gaps.
        cut_us: when it was cut, microseconds since 1970 UTC.
        newest_us: the largest event time of each stream partition that it holds rows of.
    """

    number: int
    cut_us: int
    newest_us: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class Progress:
    """How far event time is after a batch.

    Attributes:
        number: the last batch that is in it; -1 before the first.
        watermark_us: None until an event was seen; never falls.
        newest_us: the largest event time of each stream partition so far.
        seen_us: when the last batch with rows of the partition was cut.
        cut_us: when the last batch was cut.
    """

    number: int = -1
    watermark_us: int | None = None
    newest_us: Mapping[str, int] = field(default_factory=dict[str, int])
    seen_us: Mapping[str, int] = field(default_factory=dict[str, int])
    cut_us: int | None = None


def advance(before: Progress, batch: BatchTimes, rule: WatermarkRule) -> Progress:
    """The progress after one more batch.

    The watermark is the smallest of the partitions' largest event times, less the allowed
    out-of-orderness. A partition counts from its first message; it is idle, and does not count,
    while the last batch that held rows of it was cut ``idle_after_us`` or longer before this one.
    """
    cut = batch.cut_us if before.cut_us is None else max(batch.cut_us, before.cut_us)
    newest = dict(before.newest_us)
    for partition, moment in batch.newest_us.items():
        newest[partition] = max(moment, newest.get(partition, moment))
    seen = {**before.seen_us, **dict.fromkeys(batch.newest_us, cut)}
    idle = rule.idle_after_us
    counted = [
        moment
        for partition, moment in newest.items()
        if idle is None or cut - seen[partition] < idle
    ]
    reached = [min(counted) - rule.out_of_orderness_us] if counted else []
    if before.watermark_us is not None:
        reached.append(before.watermark_us)
    return Progress(batch.number, max(reached, default=None), newest, seen, cut)


@dataclass(frozen=True, slots=True)
class Watermarks:
    """The watermark before each finished batch, and after the last one without a gap before it.

    Attributes:
        before_us: by number, of every batch that is finished; None where no event was seen yet.
            After a gap they are too low until it is filled: nothing is taken for late too early.
        prefix: the progress after the last batch such that no earlier one is missing.
    """

    before_us: Mapping[int, int | None]
    prefix: Progress

    def after_us(self, number: int) -> int | None:
        """The watermark that batches after a number begin with; None where it is not known."""
        if number == self.prefix.number:
            return self.prefix.watermark_us
        return self.before_us.get(number + 1)


def watermarks(
    batches: Iterable[BatchTimes], rule: WatermarkRule, start: Progress | None = None
) -> Watermarks:
    """Watermarks of finished batches.

    Args:
        batches: those after ``start``, in any order.
        start: the progress after everything that was compacted.
    """
    state = prefix = start or Progress()
    before: dict[int, int | None] = {}
    for batch in sorted(batches, key=lambda one: one.number):
        before[batch.number] = state.watermark_us
        whole = prefix.number == state.number and batch.number == state.number + 1
        state = advance(state, batch, rule)
        if whole:
            prefix = state
    return Watermarks(before, prefix)
