"""Times of a wall clock as moments, also where the clock is set."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo


def moment_of(wall: datetime, zone: ZoneInfo) -> datetime:
    """When a clock shows a time, in UTC.

    A time that the clock skips is the moment at which it is set forward; one that it shows twice
    is the first of both.

    Args:
        wall: without time zone, whole seconds.
    """
    found = wall.replace(tzinfo=zone).astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None) == wall:
        return found
    # By the offset after the change the time lies before it, by the one before it after.
    low = int(wall.replace(tzinfo=zone, fold=1).timestamp())
    high = int(found.timestamp())
    after = datetime.fromtimestamp(high, zone).utcoffset()
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == after:
            high = middle
        else:
            low = middle
    return datetime.fromtimestamp(high, UTC)
