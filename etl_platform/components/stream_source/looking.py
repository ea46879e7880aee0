"""One look at a broker: what is pending, what is cut, how far behind the table is."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from etl_platform.core.errors import TransientError
from etl_platform.core.secrets import redact
from etl_platform.metastore.records import StreamBatchRecord, StreamStateRecord, now
from etl_platform.monitoring.streams import current_lags, last_outcome
from etl_platform.sources.stream.cutting import Cut, CutLimits, LastCut, cut
from etl_platform.sources.stream.progress import (
    BatchOutcome,
    ends_from_json,
    ends_to_json,
    seen_ends,
)
from etl_platform.sources.stream.protocol import Stream, StreamEnds
from etl_platform.sources.stream.ranges import from_json, to_json

if TYPE_CHECKING:
    from etl_platform.components.stream_source.options import StreamOptions
    from etl_platform.metastore import StreamLog

_NOTHING = BatchOutcome(0, 0, 0, 0, 0.0)


@dataclass(slots=True)
class Look:
    """What came of a look.

    Attributes:
        requests: batches that are to be run now, oldest first.
        cursor: every batch up to this number was requested, now or before.
        notes: what was lost, by the batch that tells it.
        reason: why there is nothing to run; empty when there is.
        failed: the broker did not answer.
    """

    cursor: int
    requests: list[StreamBatchRecord] = field(default_factory=list[StreamBatchRecord])
    notes: list[str] = field(default_factory=list[str])
    reason: str = ""
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Watcher:
    """Looks at one stream.

    Args:
        name: of the stream in the log: the SQL name of its table.
    """

    name: str
    stream: Stream
    log: StreamLog
    options: StreamOptions

    def look(self, cursor: int, unfinished_runs: int) -> Look:
        """Ask the broker, cut what fits, and keep where the stream ends.

        The record of a batch is its cut: whoever is killed after it has lost nothing, because
        batches above the cursor are requested again.

        Args:
            cursor: the number of the last batch that is known to be requested, -1 for none.
            unfinished_runs: runs of this stream that are queued or at work.

        Raises:
            PermanentError: the broker has no such stream, or does not let it be read.
        """
        deadline = time.monotonic() + self.options.sensor.budget_s
        found = Look(cursor)
        ends = self._ends(found)
        room = max(0, self.options.sensor.max_unfinished - unfinished_runs)
        self._request(found, room)
        while ends is not None and len(found.requests) < room and time.monotonic() < deadline:
            if not self._cut_next(ends, found):
                break
            self._request(found, room)
        if ends is not None:
            self._keep(ends)
        if not found.requests and not found.reason:
            found.reason = (
                f"{unfinished_runs} runs are not finished, no further batch is cut before they are"
                if not room
                else "an earlier batch is not published yet, and order is kept"
                if self._waits_for_order(found)
                else "no new messages, or too few that have not waited yet"
            )
        return found

    def _ends(self, found: Look) -> StreamEnds | None:
        last = self.log.newest(self.name)
        taken = from_json(last.ranges) if last is not None else ()
        after = {one.partition: one.through for one in taken}
        try:
            return self.stream.ends(self.options.sensor.budget_s, after)
        except TransientError as error:
            found.failed, found.reason = True, redact(str(error))
            before = self.log.state(self.name) or StreamStateRecord(stream=self.name)
            told = {"error": found.reason, "error_at": now()}
            self.log.looked(before.model_copy(update=told))
            return None

    def _request(self, found: Look, room: int) -> None:
        """Choose among the batches after the cursor; those without messages need no run."""
        asked = {one.number for one in found.requests}
        for one in self.log.batches(self.name, after=found.cursor):
            if one.number not in asked and not _needs_no_run(one):
                if len(found.requests) >= room or self._held_back(one):
                    break
                found.requests.append(one)
            found.cursor = one.number

    def _held_back(self, record: StreamBatchRecord) -> bool:
        if not self.options.sensor.in_order:
            return False
        return any(one.number < record.number for one in self.log.unfinished(self.name))

    def _waits_for_order(self, found: Look) -> bool:
        return bool(self.log.batches(self.name, after=found.cursor, limit=1))

    def _cut_next(self, ends: StreamEnds, found: Look) -> bool:
        """Cut one batch; False when there is none to cut."""
        last = self.log.newest(self.name)
        moment = now()
        made = cut(
            ends,
            None if last is None else LastCut(from_json(last.ranges), last.incarnation),
            self._limits(),
            start=self.options.start,
            waited_s=None if last is None else (moment - last.cut_at).total_seconds(),
        )
        if made is None:
            return False
        record = self._record(made, 0 if last is None else last.number + 1, moment)
        if self.log.add(record):
            found.notes += made.notes
        # Where another process was faster, its batch is what follows the cursor.
        return True

    def _record(self, made: Cut, number: int, moment: datetime) -> StreamBatchRecord:
        empty = not made.holds_messages
        return StreamBatchRecord(
            stream=self.name,
            number=number,
            key=f"{moment:%Y%m%d-%H%M%S}-{number:06}",
            ranges=to_json(made.ranges),
            incarnation=made.incarnation,
            cut_at=moment,
            note="\n".join(made.notes) or None,
            outcome=_NOTHING.to_json() if empty else None,
            finished_at=moment if empty else None,
        )

    def _limits(self) -> CutLimits:
        from etl_platform.components.timing import parse_duration

        batch = self.options.batch
        last = last_outcome(self.log.partitions(self.name))
        return CutLimits(
            max_rows=batch.max_rows,
            max_bytes=int(batch.max_mb * 1_000_000),
            max_age_s=parse_duration(batch.max_age).total_seconds(),
            message_bytes=last.message_bytes if last is not None else None,
            counted=self._counted,
        )

    @property
    def _counted(self) -> bool:
        return str(self.stream.info.position) == "int64"

    def _keep(self, ends: StreamEnds) -> None:
        moment = now()
        before = self.log.state(self.name)
        seen = seen_ends(ends, {}, (), moment)
        lags = current_lags(self.log, self.name, seen, moment, counted=self._counted)
        known = {} if before is None else ends_from_json(before.ends)
        kept = ends_to_json(seen_ends(ends, known, lags, moment))
        self.log.looked(StreamStateRecord(stream=self.name, ends=kept, seen_at=moment))


def _needs_no_run(record: StreamBatchRecord) -> bool:
    return record.merged_into is not None or all(one.empty for one in from_json(record.ranges))
