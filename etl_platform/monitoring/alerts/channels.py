"""Channels: where notices go, and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from etl_platform.monitoring.alerts.quiet_hours import QuietHours
from etl_platform.monitoring.alerts.signals import Severity


@dataclass(frozen=True, slots=True)
class Channel:
    """One address.

    Attributes:
        name: that routes call it by.
        url: secret reference to one apprise URL.
        optional: where the reference does not resolve, notices are kept for ``etl alerts``
            instead of being tried again.
        group_for: how long changes are collected into one notice.
        quiet: when nothing is sent; what happens then is told afterwards, as one notice.
        wakes: incidents of this severity are told in quiet hours, too; None: nothing is.
    """

    name: str
    url: str
    optional: bool = False
    group_for: timedelta = timedelta()
    quiet: tuple[QuietHours, ...] = ()
    wakes: Severity | None = None

    def due_at(self, moment: datetime, severity: str) -> datetime:
        """When a change of this moment may be told."""
        due = moment + self.group_for
        if severity == self.wakes:
            return due
        # Quiet hours may follow each other.
        for _ in range(len(self.quiet) + 1):
            ends = [end for one in self.quiet if (end := one.until(due)) is not None]
            if not ends:
                break
            due = max(ends)
        return due
