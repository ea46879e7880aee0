"""By when an asset has to be there, as it is written in YAML."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import dagster as dg
from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetNode
from dagster._core.definitions.freshness import CronFreshnessPolicy
from dagster._utils.schedules import cron_string_iterator
from dagster_shared.check import CheckError
from pydantic import Field, model_validator

from etl_platform.components.timing import Declaration, parse_duration
from etl_platform.core.wall_clock import moment_of

METADATA = "etl_platform/sla"
"""Metadata of an asset under which its terms are found."""
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SETS = {"all": _DAYS, "weekdays": _DAYS[:5], "weekend": _DAYS[5:]}


class Sla(Declaration):
    """There by a time of the wall clock on some days, or within a time after a cron expression."""

    by: str | None = Field(default=None, description="Time of day.", examples=["07:00"])
    days: list[str] | str = Field(
        default="all", description="With by: all, weekdays, weekend, or a list of mon to sun."
    )
    cron: str | None = Field(default=None, description="When it is expected.")
    max_lag: str | None = Field(
        default=None, description="With cron: how much later it may be.", examples=["2h"]
    )
    deadline: str | None = Field(
        default=None, description="Cron expression of the deadline, as of freshness."
    )
    within: str | None = Field(
        default=None, description="With deadline: how long before it is not too early."
    )
    timezone: str = Field(default="UTC", description="IANA time zone.")

    @model_validator(mode="after")
    def _one_kind(self) -> Sla:
        said = [self.by is not None, self.cron is not None, self.deadline is not None]
        pairs = ((self.cron, self.max_lag), (self.deadline, self.within))
        if sum(said) != 1 or any((one is None) != (other is None) for one, other in pairs):
            raise ValueError("give by (and days), cron and max_lag, or deadline and within")
        if self.by is not None:
            time.fromisoformat(self.by)
        for duration in (self.max_lag, self.within):
            if duration is not None:
                parse_duration(duration)
        for day in self.days if isinstance(self.days, list) else ():
            if day not in _DAYS:
                raise ValueError(f"{day!r} is no day: write {', '.join(_DAYS)}")
        if isinstance(self.days, str) and self.days not in _SETS:
            raise ValueError(f"{self.days!r} is none of {', '.join(_SETS)}")
        try:
            ZoneInfo(self.timezone)
            for cron in (self.cron, self.deadline):
                if cron is not None:
                    dg.FreshnessPolicy.cron(cron, timedelta(minutes=1), self.timezone)
        except (ZoneInfoNotFoundError, CheckError) as error:
            raise ValueError(str(error)) from error
        return self

    def deadlines(self, begin: datetime) -> Iterator[tuple[datetime, datetime]]:
        """From when something counts and by when it has to be there, from a moment on, in UTC.

        A time of day that the clock skips is the moment of the change, one that it shows twice the
        first of both.
        """
        early = parse_duration(self.within) if self.within else timedelta()
        lag = parse_duration(self.max_lag) if self.max_lag else timedelta()
        if expression := self.cron or self.deadline:
            for tick in cron_string_iterator((begin - lag).timestamp(), expression, self.timezone):
                due = tick.astimezone(UTC)
                yield due - early, due + lag
            return
        assert self.by is not None
        zone, at = ZoneInfo(self.timezone), time.fromisoformat(self.by)
        days = _SETS[self.days] if isinstance(self.days, str) else tuple(self.days)
        day = begin.astimezone(zone).date()
        while True:
            if _DAYS[day.weekday()] in days:
                due = moment_of(datetime.combine(day, at), zone)
                if due >= begin:
                    yield moment_of(datetime.combine(day, time()), zone), due
            day += timedelta(days=1)

    def between(self, begin: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
        """The deadlines of a span of time, and the first one after it."""
        found: list[tuple[datetime, datetime]] = []
        for start, due in self.deadlines(begin):
            found.append((start, due))
            if due > end:
                break
        return found

    def first_after(self, moment: datetime) -> datetime:
        """The deadline of what is complete at a moment."""
        for start, due in self.deadlines(moment):
            # With cron the tick that expects it comes first, not a lag that still runs.
            if self.cron is None or start >= moment:
                return due
        raise AssertionError("deadlines never end")

    @classmethod
    def of(cls, node: BaseAssetNode) -> Sla | None:
        """The terms of an asset: its own, or those that its freshness policy says already."""
        said = node.metadata.get(METADATA)
        data = said.value if isinstance(said, dg.MetadataValue) else said
        if data is not None:
            return cls.model_validate(data)
        policy = node.freshness_policy_or_from_metadata
        if not isinstance(policy, CronFreshnessPolicy):
            return None
        return cls(
            deadline=policy.deadline_cron,
            within=f"{policy.lower_bound_delta.total_seconds():.0f}s",
            timezone=policy.timezone,
        )
