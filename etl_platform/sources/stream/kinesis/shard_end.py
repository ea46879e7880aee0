"""Where a shard ends, found with a few small reads because no call tells it.

Kinesis gives a sequence number for nothing but a message that was read. Reading everything up to
now would tell where the stream ends, and cost as much as reading it for its rows: half of what a
shard serves to all consumers (5 reads and 2 MB a second). Instead each look at a shard takes:

- one read of two messages from the last position that was taken. Nothing behind it: that is the
  end, and the iterator is kept, so that the next look at an idle shard is one request;
- otherwise one read from a moment a second ago to now, at most 2 MB as shards accept no more than
  1 MB a second. Nothing there: moments further and further back, then on by pages and by halves of
  the time that is left, until a read has the very last message;
- when these are further apart than a batch may span, one read at the moment where the batch ends.

Moments only choose which message is looked at: clocks that disagree make a batch longer or shorter.
Positions are always those of messages that were seen.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from etl_platform.sources.stream.kinesis.client import (
    FROM_BEGINNING,
    IteratorExpired,
    Page,
    PositionRefused,
    RawRecord,
    Service,
    Shard,
    Start,
)
from etl_platform.sources.stream.protocol import PartitionEnd

_RECENT = timedelta(seconds=1)
_FURTHER = 4
_TAIL = 1_000
_WHOLE = 10_000
_RECENT_PAGES = 8
_ROUNDS = 12


@dataclass(frozen=True, slots=True)
class Tip:
    """A shard that was seen with nothing behind a position, and the iterator from there; None when
    it is closed, so that nothing can ever be there."""

    position: int | None
    iterator: str | None
    at: float


@dataclass(slots=True)
class ShardLook:
    """One look at one shard.

    ``tips`` is what is remembered of shards that were level.
    """

    service: Service
    shard: Shard
    after: int | None
    deadline: float
    tips: dict[str, Tip]
    span: timedelta
    certain: bool = True
    """Whether nothing lay behind the newest message that was seen; of a closed shard, whether its
    end was seen, so that its children may follow."""

    def look(self, retention_s: float) -> PartitionEnd:
        tip = self.tips.get(self.shard.name)
        if tip is not None and tip.position != self.after:
            tip = None
        nothing = PartitionEnd(None, self.after, closed=self.shard.closed)
        if tip is not None and tip.iterator is None:
            return nothing
        page, followed = self._first(tip)
        if not page.records:
            return nothing
        first, newest = page.records[0], page.records[-1]
        if not page.level:
            newest, page = self._newest(first, page.answered_at)
        if self.shard.closed and page.level and page.next is not None:
            page = self.service.page(page.next, _TAIL, self.deadline)
            newest = max([newest, *page.records], key=position)
        self.certain = page.next is None if self.shard.closed else page.level
        # What was level a moment ago cannot have lost anything since that nobody has seen.
        watched = tip is not None and time.monotonic() - tip.at < retention_s
        return PartitionEnd(
            earliest=position(first),
            latest=position(newest),
            newest_at=newest["ApproximateArrivalTimestamp"],
            closed=self.shard.closed,
            until=self._until(first, newest),
            gap_possible=self.after is not None and not followed and not watched,
        )

    def _first(self, tip: Tip | None) -> tuple[Page, bool]:
        """The first messages after the position, and whether the one at it is still there."""
        iterator = tip.iterator if tip is not None else None
        followed = False
        while True:
            if iterator is None:
                iterator = self._iterator()
            try:
                page = self.service.page(iterator, 2, self.deadline)
            except IteratorExpired:
                iterator = None
                continue
            followed = followed or any(position(one) == self.after for one in page.records)
            begin = -1 if self.after is None else self.after
            new = [one for one in page.records if position(one) > begin]
            ended = page.next is None or (page.level and not self.shard.closed)
            if ended and not new:
                self.tips[self.shard.name] = Tip(self.after, page.next, time.monotonic())
            if ended or new:
                return replace(self._ended(page), records=new), followed
            if time.monotonic() > self.deadline:
                raise self.service.out_of_time(f"looking for messages in {self.shard.name}")
            iterator = page.next

    def _iterator(self) -> str:
        if self.after is None:
            return self.service.iterator(self.shard.name, FROM_BEGINNING, self.deadline)
        start = Start("AT_SEQUENCE_NUMBER", self.after)
        try:
            return self.service.iterator(self.shard.name, start, self.deadline)
        except PositionRefused:
            # Of a stream that was made again; its incarnation tells so.
            return self.service.iterator(self.shard.name, FROM_BEGINNING, self.deadline)

    def _newest(self, first: RawRecord, now: datetime) -> tuple[RawRecord, Page]:
        """The newest message, and the page that it was in, level where it is the very last."""
        oldest = first["ApproximateArrivalTimestamp"]
        page = self._recent(max(now - _RECENT, oldest))
        if page.records:
            return max([first, page.records[-1]], key=position), page
        back, empty_from = _RECENT * _FURTHER, now - _RECENT
        while True:
            moment = max(now - back, oldest)
            page = self._at(moment, _TAIL)
            if page.records or moment == oldest:
                break
            empty_from, back = moment, back * _FURTHER
        newest = max([first, *page.records], key=position)
        for _ in range(_ROUNDS):
            if page.level or page.next is None or time.monotonic() > self.deadline:
                break
            # On by a page, for the end of a burst; then by half of the time that is left.
            page = self._ended(self.service.page(page.next, _TAIL, self.deadline))
            newest = max([newest, *page.records], key=position)
            known = newest["ApproximateArrivalTimestamp"]
            if page.level or empty_from - known < _RECENT:
                continue
            moment = known + (empty_from - known) / 2
            found = self._at(moment, _TAIL)
            if found.records:
                page, newest = found, max([newest, *found.records], key=position)
            else:
                empty_from = moment
        return newest, page

    def _recent(self, moment: datetime) -> Page:
        """The last page from a moment to now; a burst may leave more behind it."""
        page = self._at(moment, _WHOLE)
        for _ in range(_RECENT_PAGES):
            if page.level or page.next is None or time.monotonic() > self.deadline:
                break
            following = self.service.page(page.next, _WHOLE, self.deadline)
            kept = following.records or page.records
            page = replace(self._ended(following), records=kept)
        return page

    def _until(self, first: RawRecord, newest: RawRecord) -> int | None:
        moment = first["ApproximateArrivalTimestamp"] + self.span
        if newest["ApproximateArrivalTimestamp"] <= moment:
            return None
        page = self._at(moment, 1)
        found = position(page.records[0]) if page.records else position(newest)
        return found if position(first) <= found < position(newest) else None

    def _at(self, moment: datetime, limit: int) -> Page:
        """The first messages that arrived at a moment or later; none when there are none."""
        start = Start("AT_TIMESTAMP", moment=moment)
        iterator = self.service.iterator(self.shard.name, start, self.deadline)
        while True:
            page = self._ended(self.service.page(iterator, limit, self.deadline))
            if page.records or page.level or page.next is None:
                return page
            if time.monotonic() > self.deadline:
                raise self.service.out_of_time(f"looking for the end of {self.shard.name}")
            iterator = page.next

    @staticmethod
    def _ended(page: Page) -> Page:
        """A closed shard that is read to its end is level, too."""
        return replace(page, level=page.level or page.next is None)


def position(record: RawRecord) -> int:
    """The sequence number of a message."""
    return int(record["SequenceNumber"])
