"""Whether what was expected came in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True)
class Due:
    """An asset, or a partition of it, that has to be there by a time.

    Attributes:
        begin: what was there before does not count.
        until: when the next one begins; what comes later belongs to that. None: never.
    """

    asset: str
    partition: str | None
    begin: datetime
    expected_by: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of it; times are UTC. ``actual`` is when it was there first."""

    asset: str
    partition: str | None
    expected_by: datetime
    actual: datetime | None
    status: Literal["met", "late", "missed", "waiting"]

    @property
    def late_s(self) -> float | None:
        """Seconds between the deadline and the arrival, negative when it was early."""
        if self.actual is None:
            return None
        return (self.actual - self.expected_by).total_seconds()


def judge(due: Due, times: Sequence[datetime], now: datetime) -> Kept:
    """Compare a deadline with the times at which the asset or partition was made, in order."""
    actual = next(
        (one for one in times if one >= due.begin and (due.until is None or one < due.until)),
        None,
    )
    if actual is not None:
        status = "met" if actual <= due.expected_by else "late"
    else:
        status = "missed" if now > due.expected_by else "waiting"
    return Kept(due.asset, due.partition, due.expected_by, actual, status)
