"""Quiet hours: when a channel is left alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from etl_platform.core.wall_clock import moment_of

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From one time of the wall clock to another, over midnight where the second is earlier.

    Attributes:
        days: those on which quiet hours begin, as ``mon``.
        timezone: IANA name of the clock.
    """

    begin: time
    end: time
    timezone: str = "UTC"
    days: tuple[str, ...] = DAYS

    def until(self, moment: datetime) -> datetime | None:
        """When the quiet hours end that a moment lies in, in UTC; None outside of them.

        A time that the clock skips is the moment of the change, one that it shows twice the
        first of both.
        """
        zone = ZoneInfo(self.timezone)
        today = moment.astimezone(zone).date()
        for day in (today - timedelta(days=1), today):
            if DAYS[day.weekday()] not in self.days:
                continue
            last = day if self.begin < self.end else day + timedelta(days=1)
            start = moment_of(datetime.combine(day, self.begin), zone)
            end = moment_of(datetime.combine(last, self.end), zone)
            if start <= moment < end:
                return end
        return None
