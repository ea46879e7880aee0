"""Reading exactly one range of a shard."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl_platform.sources.stream.kinesis.batches import to_arrow
from etl_platform.sources.stream.kinesis.client import (
    FROM_BEGINNING,
    IteratorExpired,
    Page,
    PositionRefused,
    RawRecord,
    Service,
    Start,
)
from etl_platform.sources.stream.kinesis.shard_end import position
from etl_platform.sources.stream.protocol import PositionsLost, ReadLimits
from etl_platform.sources.stream.ranges import Range

if TYPE_CHECKING:
    import pyarrow as pa

_PAGE = 10_000
_BATCH_BYTES = 8 << 20
_LAST_GONE = "the last of them is gone: retention removed it, or the stream was made again"


@dataclass(slots=True)
class ShardReading:
    """Reads page after page until the last message of the range was seen.

    A range knows its first message where it was cut by looking at the shard. Kinesis removes the
    oldest first and says nothing of it: as long as that message is there, all others are.
    """

    service: Service
    wanted: Range
    limits: ReadLimits

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Arrow batches of at most ``batch_rows`` messages, and about 8 MB and one page.

        Raises:
            PositionsLost: the first or the last message of the range is gone.
            StreamUnavailable: no answer for ``idle_timeout_s``.
        """
        waiting: list[RawRecord] = []
        size = 0
        rows = max(1, self.limits.batch_rows)
        for records in self._pages():
            waiting += records
            size += sum(len(one["Data"]) for one in records)
            while len(waiting) >= rows or (waiting and size >= _BATCH_BYTES):
                yield to_arrow(self.wanted.partition, waiting[:rows])
                waiting = waiting[rows:]
                size = sum(len(one["Data"]) for one in waiting)
        if waiting:
            yield to_arrow(self.wanted.partition, waiting)

    def _pages(self) -> Iterator[list[RawRecord]]:
        last: int | None = None
        iterator: str | None = None
        while True:
            deadline = time.monotonic() + self.limits.idle_timeout_s
            try:
                if iterator is None:
                    iterator = self.service.iterator(
                        self.wanted.partition, self._start(last), deadline
                    )
                page = self.service.page(iterator, _PAGE, deadline)
            except IteratorExpired:
                # Whoever takes the batches was busy for more than 5 minutes.
                iterator = None
                continue
            except PositionRefused:
                raise self._lost("its positions are none of this shard") from None
            kept = self._kept(page, last)
            if kept:
                last = position(kept[-1])
                yield kept
            if last == self.wanted.through:
                return
            if page.next is None or (page.level and not page.records):
                raise self._lost(_LAST_GONE)
            iterator = page.next

    def _kept(self, page: Page, last: int | None) -> list[RawRecord]:
        """Those of the range; refuses a page that shows that some are missing."""
        if not page.records:
            return []
        first = self.wanted.first
        if last is None and first is not None and position(page.records[0]) != first:
            raise self._lost(f"the first that is still there is {position(page.records[0])}")
        if position(page.records[-1]) < self.wanted.through:
            return page.records
        kept = [one for one in page.records if position(one) <= self.wanted.through]
        if not kept or position(kept[-1]) != self.wanted.through:
            raise self._lost(_LAST_GONE)
        return kept

    def _start(self, last: int | None) -> Start:
        if last is not None:
            return Start("AFTER_SEQUENCE_NUMBER", last)
        if self.wanted.first is not None:
            return Start("AT_SEQUENCE_NUMBER", self.wanted.first)
        if self.wanted.after is not None:
            return Start("AFTER_SEQUENCE_NUMBER", self.wanted.after)
        return FROM_BEGINNING

    def _lost(self, why: str) -> PositionsLost:
        one = self.wanted
        begin = "the beginning" if one.after is None else f"after {one.after}"
        return PositionsLost(
            f"stream {self.service.options.name!r}, {one.partition}: messages from {begin} through "
            f"{one.through} were asked for: {why}",
            fix="keep messages for longer (IncreaseStreamRetentionPeriod), or start the stream "
            "anew",
        )
