"""How streams stand: what waits at the broker and in batches, and how fast it is published."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from etl_platform.sources.stream.progress import (
    BatchOutcome,
    PartitionLag,
    SeenEnd,
    ends_from_json,
    partition_lags,
)
from etl_platform.sources.stream.ranges import from_json
from etl_platform.transforms.windows.reached import REACHED, Reached

if TYPE_CHECKING:
    from collections.abc import Mapping

    from etl_platform.lakehouse import Lake
    from etl_platform.metastore import Metastore, StreamBatchRecord, StreamLog


@dataclass(frozen=True, slots=True)
class WindowStatus:
    """The results of one window, as they were computed last.

    Attributes:
        table: the results.
        watermark: how far event time had come; None before the first event.
        delay_s: how far that is behind now, seconds.
        waiting: published batches that are not in the results yet.
    """

    table: str
    watermark: datetime | None
    delay_s: float | None
    waiting: int


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """One stream, as its sensor saw it last.

    Attributes:
        stream: the table that it becomes.
        lag_rows: messages that are not published; None where positions do not count them.
        lag_s: how long the oldest of them can have waited, seconds.
        partitions: the same for each partition.
        unfinished: batches that were cut and never published.
        batches: partitions of the table.
        rate: messages per second of the newest finished batch.
        dead_letters: messages that the dead letter table holds now; None when that was not asked.
        note: what people have to know of the newest batch.
        seen_at: when the broker answered last.
        error: why it did not since.
        windows: those over its events.
    """

    stream: str
    lag_rows: int | None
    lag_s: float | None
    partitions: tuple[PartitionLag, ...]
    unfinished: int
    batches: int
    rate: float | None
    dead_letters: int | None
    note: str | None
    seen_at: datetime
    error: str | None
    windows: tuple[WindowStatus, ...] = ()


def stream_statuses(
    lake: Lake, metastore: Metastore, now: datetime | None = None
) -> tuple[StreamStatus, ...]:
    """Every stream that a sensor ever looked at, by name."""
    from etl_platform.core.names import TableName

    found: list[StreamStatus] = []
    for state in metastore.streams.states():
        letters = TableName.parse(state.stream).dead_letter
        held = lake.snapshot(letters).rows if lake.exists(letters) else 0
        status = stream_status(metastore.streams, state.stream, now, held)
        if status is not None:
            windows = window_statuses(lake, metastore.streams, state.stream, now)
            found.append(replace(status, windows=windows))
    return tuple(found)


def window_statuses(
    lake: Lake, log: StreamLog, stream: str, now: datetime | None = None
) -> tuple[WindowStatus, ...]:
    """The windows over a stream whose results were ever computed, by name."""
    from etl_platform.core.names import TableName

    moment, schema = now or datetime.now(UTC), TableName.parse(stream).schema
    batches = [one.number for one in log.partitions(stream) if one.finished_at is not None]
    found: list[WindowStatus] = []
    for results in (info.name for info in lake.tables() if info.name.schema == schema):
        note = lake.annotation(results, REACHED)
        reached = None if note is None else Reached.from_json(note)
        if reached is None or reached.stream != stream:
            continue
        delay = None if reached.watermark is None else moment - reached.watermark
        found.append(
            WindowStatus(
                table=results.sql,
                watermark=reached.watermark,
                delay_s=None if delay is None else delay.total_seconds(),
                waiting=sum(1 for number in batches if number > reached.through),
            )
        )
    return tuple(sorted(found, key=lambda one: one.table))


def stream_status(
    log: StreamLog,
    stream: str,
    now: datetime | None = None,
    dead_letters: int | None = None,
) -> StreamStatus | None:
    """One stream; None when it was never looked at."""
    state = log.state(stream)
    if state is None:
        return None
    partitions, newest = log.partitions(stream), log.newest(stream)
    lags = current_lags(log, stream, ends_from_json(state.ends), now or datetime.now(UTC))
    rows = [one.rows for one in lags]
    waits = [one.seconds for one in lags if not one.level and one.seconds is not None]
    last = last_outcome(partitions)
    return StreamStatus(
        stream=stream,
        lag_rows=None if None in rows else sum(one or 0 for one in rows),
        lag_s=max(waits, default=None if any(not one.level for one in lags) else 0.0),
        partitions=lags,
        unfinished=sum(1 for one in partitions if one.finished_at is None),
        batches=len(partitions),
        rate=last.messages / last.seconds if last is not None and last.seconds else None,
        dead_letters=dead_letters,
        note=newest.note if newest is not None else None,
        seen_at=state.seen_at,
        error=state.error,
    )


def current_lags(
    log: StreamLog,
    stream: str,
    ends: Mapping[str, SeenEnd],
    moment: datetime,
    *,
    counted: bool = True,
) -> tuple[PartitionLag, ...]:
    """The lag of every partition now."""
    newest = log.newest(stream)
    partitions = log.partitions(stream)
    last = last_outcome(partitions)
    return partition_lags(
        ends,
        from_json(newest.ranges) if newest is not None else (),
        [from_json(one.ranges) for one in partitions if one.finished_at is None],
        moment,
        last.newest if last is not None else None,
        counted=counted,
    )


def last_outcome(partitions: list[StreamBatchRecord]) -> BatchOutcome | None:
    """What the newest finished batch with messages held."""
    for one in reversed(partitions):
        if one.outcome is not None:
            outcome = BatchOutcome.from_json(one.outcome)
            if outcome.messages:
                return outcome
    return None
