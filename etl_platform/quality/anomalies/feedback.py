"""What people said about a metric, applied to what is judged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from etl_platform.metastore.records import MetricFeedbackRecord

EVERY_METRIC = "*"


@dataclass(frozen=True, slots=True)
class Said:
    """``since``: points before are no baseline any more. ``muted``: why a point is not judged."""

    since: datetime | None
    muted: str | None


def applied(feedback: Iterable[MetricFeedbackRecord], metric: str, at: datetime) -> Said:
    """What holds for a metric at a time.

    The newest ``normal`` counts that is not of a later time; any mute that holds at the time and
    was not taken back.
    """
    since: datetime | None = None
    mutes: list[MetricFeedbackRecord] = []
    for record in feedback:
        if record.metric not in (metric, EVERY_METRIC):
            continue
        match record.kind:
            case "normal" if record.since <= at:
                since = record.since if since is None else max(since, record.since)
            case "mute":
                mutes.append(record)
            case "unmute":
                mutes.clear()
            case _:
                pass
    held = [m for m in mutes if m.since <= at and (m.until is None or at < m.until)]
    return Said(since, _reason(held[-1]) if held else None)


def _reason(mute: MetricFeedbackRecord) -> str:
    until = f" until {mute.until:%Y-%m-%d %H:%M} UTC" if mute.until else ""
    note = f": {mute.note}" if mute.note else ""
    return f"muted{until}{note}"
