"""Which batches become one partition: those of a period that is over, next to each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Literal

from etl_platform.sources.stream.ranges import Range, Ranges

Period = Literal["hour", "day", "month"]
_FORMS: dict[str, str] = {"hour": "%Y%m%d-%H", "day": "%Y%m%d", "month": "%Y%m"}


@dataclass(frozen=True, slots=True)
class Mergeable:
    """A partition as the plan sees it: ``first`` and ``last`` are numbers of batches, ``rows`` what
    it held when it was published (None: it never was)."""

    key: str
    first: int
    last: int
    ranges: Ranges
    incarnation: str
    cut_at: datetime
    rows: int | None


@dataclass(frozen=True, slots=True)
class Merge:
    """Partitions that become one, oldest first."""

    key: str
    members: tuple[Mergeable, ...]

    @property
    def ranges(self) -> Ranges:
        """All messages of the members; a partition has several ranges where some were lost."""
        return joined(one.ranges for one in self.members)


def plan_merges(
    partitions: Sequence[Mergeable],
    moment: datetime,
    *,
    periods: Sequence[Period] = ("hour", "day", "month"),
    after: timedelta = timedelta(hours=1),
    max_rows: int = 50_000_000,
) -> tuple[Merge, ...]:
    """Each partition goes into the longest of the periods that is over for it.

    Neighbours alone are merged, because a range of positions must not hold what is in another
    partition: one that is not published yet stays, and separates what lies before and after it; so
    does a stream that was made again.

    Args:
        partitions: all that there are now, in the order of their numbers.
        moment: now.
        after: how long a period must be over.
        max_rows: what a merged partition holds at most.
    """
    merges: list[Merge] = []

    def place(one: Mergeable) -> tuple[str, str] | None:
        return None if one.rows is None else _place(one, moment, periods, after)

    for found, members in groupby(partitions, place):
        if found is None:
            continue
        merges += [
            # The numbers make the key new whenever other batches are in it.
            Merge(f"{found[0]}-{part[0].first:06}-{part[-1].last:06}", tuple(part))
            for part in _bounded(list(members), max_rows)
            if len(part) > 1
        ]
    return tuple(merges)


def _place(
    one: Mergeable, moment: datetime, periods: Sequence[Period], after: timedelta
) -> tuple[str, str] | None:
    """The period and incarnation that a partition belongs to; None while no period is over."""
    cut_at = one.cut_at.astimezone(UTC)
    for period in ("month", "day", "hour"):
        if period in periods and _end(cut_at, period) + after <= moment:
            return f"{cut_at.strftime(_FORMS[period])}-{period}", one.incarnation
    return None


def _end(moment: datetime, period: str) -> datetime:
    hour = moment.replace(minute=0, second=0, microsecond=0)
    if period == "hour":
        return hour + timedelta(hours=1)
    day = hour.replace(hour=0)
    if period == "day":
        return day + timedelta(days=1)
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)


def _bounded(members: list[Mergeable], max_rows: int) -> Iterator[list[Mergeable]]:
    part: list[Mergeable] = []
    rows = 0
    for one in members:
        more = one.rows or 0
        if part and rows + more > max_rows:
            yield part
            part, rows = [], 0
        part.append(one)
        rows += more
    if part:
        yield part


def joined(batches: Iterable[Ranges]) -> Ranges:
    """The ranges of consecutive batches, with those that touch made one; by partition, in order."""
    found: dict[str, list[Range]] = {}
    for one in (one for ranges in batches for one in ranges):
        parts = found.setdefault(one.partition, [])
        before = parts[-1] if parts else None
        if before is not None and before.through == one.after:
            parts[-1] = before.joined(one)
        elif before is not None and before.empty:
            parts[-1] = one
        elif before is None or not one.empty:
            parts.append(one)
    return tuple(one for name in sorted(found) for one in found[name])


def passes(ranges: Ranges) -> tuple[Ranges, ...]:
    """Ranges to be read one after the other: each pass has one range of a partition at most."""
    made: list[list[Range]] = []
    seen: dict[str, int] = {}
    for one in ranges:
        if one.empty:
            continue
        turn = seen.get(one.partition, 0)
        seen[one.partition] = turn + 1
        if turn == len(made):
            made.append([])
        made[turn].append(one)
    return tuple(tuple(one) for one in made)
