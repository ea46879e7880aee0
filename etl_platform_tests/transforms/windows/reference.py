"""Windows computed event by event in plain Python, to compare with: slow, and easy to believe."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal

from etl_platform.transforms.windows import WindowSpec


@dataclass(frozen=True)
class Event:
    """One message; ``at`` and all other times are microseconds."""

    partition: str
    position: int
    at: int
    key: str | None
    amount: int
    price: Decimal
    ratio: float
    ident: str


@dataclass(frozen=True)
class Batch:
    number: int
    cut: int
    events: tuple[Event, ...]


Cells = dict[tuple[int, int, str | None], list[Event]]


@dataclass
class Answer:
    """Final windows with their events, all windows, and the positions of late events."""

    final: Cells = field(default_factory=dict)
    every: Cells = field(default_factory=dict)
    late: set[tuple[str, int]] = field(default_factory=set)
    watermark: int | None = None


def micros(span: object) -> int:
    return round(span.total_seconds() * 1_000_000)  # type: ignore[attr-defined] # a timedelta


def answer(spec: WindowSpec, batches: list[Batch]) -> Answer:
    """What a window says after all these batches, in order."""
    size, lateness = micros(spec.size), micros(spec.allowed_lateness)
    every = micros(spec.every) if spec.every else size
    found = Answer()
    newest: dict[str, int] = {}
    seen: dict[str, int] = {}
    taken: dict[tuple[int, int, str | None], list[Event]] = defaultdict(list)
    loose: dict[str | None, list[Event]] = defaultdict(list)
    known: dict[str, list[int]] = defaultdict(list)
    for batch in batches:
        mark = found.watermark
        for event in sorted(batch.events, key=lambda e: (e.partition, e.position)):
            if spec.deduplicate is not None:
                near = micros(spec.deduplicate.horizon)
                times = known[event.ident]
                repeated = any(abs(event.at - t) < near for t in times)
                times.append(event.at)
                if repeated:
                    if _is_late(event, spec, mark, every, size, lateness):
                        found.late.add((event.partition, event.position))
                    continue
            if _is_late(event, spec, mark, every, size, lateness):
                found.late.add((event.partition, event.position))
            if spec.kind == "session":
                stretch_end = event.at // size * size + size
                if spec.late == "update" or mark is None or stretch_end + lateness > mark:
                    loose[event.key].append(event)
                continue
            start = event.at // every * every
            while start > event.at - size:
                end = start + size
                if spec.late == "update" or mark is None or end + lateness > mark:
                    taken[start, end, event.key].append(event)
                start -= every
        for event in batch.events:
            newest[event.partition] = max(event.at, newest.get(event.partition, event.at))
            seen[event.partition] = batch.cut
        idle = micros(spec.idle_after) if spec.idle_after else None
        counted = [t for p, t in newest.items() if idle is None or batch.cut - seen[p] < idle]
        if counted:
            reached = min(counted) - micros(spec.out_of_orderness)
            found.watermark = reached if found.watermark is None else max(found.watermark, reached)
    for key, events in loose.items():
        for session in _sessions(events, size):
            taken[session[0].at, session[-1].at + size, key] = session
    found.every = dict(taken)
    if found.watermark is not None:
        closed = found.watermark - lateness
        if spec.kind == "session":
            closed = closed // size * size
        found.final = {cell: events for cell, events in taken.items() if cell[1] <= closed}
    return found


def _is_late(
    event: Event, spec: WindowSpec, mark: int | None, every: int, size: int, lateness: int
) -> bool:
    """Whether at least one window of the event is closed already."""
    if spec.late == "update" or mark is None:
        return False
    start = event.at // every * every
    ends = []
    while start > event.at - size:
        ends.append(start + size)
        start -= every
    return min(ends) + lateness <= mark


def _sessions(events: list[Event], gap: int) -> list[list[Event]]:
    found: list[list[Event]] = []
    for event in sorted(events, key=lambda e: e.at):
        if found and event.at - found[-1][-1].at < gap:
            found[-1].append(event)
        else:
            found.append([event])
    return found
