"""The circuit breaker: an engine that keeps failing by its own fault is left alone for a while.

After that while it is a candidate again, as one trial: the fallback in the same run makes a failed
trial cost time, never rows. See M. Nygard, *Release It!*, "Circuit Breaker".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from etl_platform.selection.work import Outcome, Work

if TYPE_CHECKING:
    from etl_platform.metastore import DecisionLog, DecisionRecord

FAULTS_ON_TABLE = 2
FAULTS_ON_KIND = 3
_FIRST_PAUSE = timedelta(hours=1)
_LONGEST_PAUSE = timedelta(days=7)
_GROWTH = 4


def pause(faults: int, limit: int) -> timedelta:
    """How long an engine rests after so many faults in a row; four times longer each time.

    >>> str(pause(2, limit=2)), str(pause(3, limit=2)), str(pause(99, limit=2))
    ('1:00:00', '4:00:00', '7 days, 0:00:00')
    """
    steps = min(faults - limit, 8)
    return min(_FIRST_PAUSE * _GROWTH**steps, _LONGEST_PAUSE)


def open_reasons(
    log: DecisionLog, work: Work, engines: Iterable[str], now: datetime
) -> Mapping[str, str]:
    """The engines that rest, and why.

    Two faults in a row on a table rest an engine for that table; three in a row on different tables
    rest it for the kind of source: then the engine itself is broken, and no table needs to find
    out.
    """
    on_table = log.of_engines(work.task, work.kind, work.table)
    found: dict[str, str] = {}
    for engine in engines:
        own = _faults_in_a_row([record for record in on_table if record.engine == engine])
        everywhere = _faults_in_a_row(log.of_engine(work.task, work.kind, engine))
        told = _resting(own, FAULTS_ON_TABLE, now, "on this table")
        if told is None and len({fault.table for fault in everywhere}) > 1:
            told = _resting(everywhere, FAULTS_ON_KIND, now, f"on {work.kind}")
        if told is not None:
            found[engine] = told
    return found


def _resting(faults: Sequence[DecisionRecord], limit: int, now: datetime, where: str) -> str | None:
    if len(faults) < limit:
        return None
    last = faults[0].finished_at or faults[0].decided_at
    until = last + pause(len(faults), limit)
    if now >= until:
        return None
    return (
        f"failed {len(faults)} times in a row {where} by its own fault, rests until "
        f"{until:%Y-%m-%d %H:%M} UTC; last: {(faults[0].error or '').splitlines()[0]}"
    )


def _faults_in_a_row(newest_first: Sequence[DecisionRecord]) -> list[DecisionRecord]:
    """The newest engine faults since it last succeeded; failures of others prove neither."""
    faults: list[DecisionRecord] = []
    for record in newest_first:
        if record.outcome == Outcome.DONE:
            break
        if record.outcome == Outcome.ENGINE_FAULT:
            faults.append(record)
    return faults
