"""When: durations, schedules, freshness, periods and automation, as they are written in YAML."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import dagster as dg
from dagster_shared.check import CheckError
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d|w)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_duration(text: str) -> timedelta:
    """Read ``30s``, ``15m``, ``2h``, ``1.5d`` or ``1w``.

    Raises:
        ValueError: for any other text.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a duration: write a number and s, m, h, d or w")
    return timedelta(**{_UNITS[match[2]]: float(match[1])})


class Declaration(BaseModel):
    """Base of what is written in YAML: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Schedule(Declaration):
    """When assets are materialised."""

    cron: str = Field(description="Cron expression of five fields.", examples=["0 6 * * *"])
    timezone: str = Field(default="UTC", description="IANA time zone of the expression.")
    enabled: bool = Field(
        default=True, description="Whether the schedule runs as soon as it is deployed."
    )

    @field_validator("cron")
    @classmethod
    def _valid_cron(cls, value: str) -> str:
        _on_cron(value)
        return value

    @field_validator("timezone")
    @classmethod
    def _valid_timezone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{value!r} is not an IANA time zone") from error
        return value


class Freshness(Declaration):
    """How old an asset may be: within a span of time, or by a deadline."""

    fail_after: str | None = Field(
        default=None, description="Fails when older than this.", examples=["24h"]
    )
    warn_after: str | None = Field(
        default=None, description="Warns when older than this.", examples=["12h"]
    )
    deadline: str | None = Field(
        default=None, description="Cron expression of the deadline.", examples=["0 9 * * *"]
    )
    within: str | None = Field(
        default=None, description="How long before the deadline is early enough.", examples=["3h"]
    )
    timezone: str = Field(default="UTC", description="IANA time zone of the deadline.")

    @model_validator(mode="after")
    def _one_kind(self) -> Freshness:
        if (self.fail_after is None) == (self.deadline is None):
            raise ValueError("give fail_after (and warn_after), or deadline and within")
        if (self.deadline is None) != (self.within is None):
            raise ValueError("deadline and within belong together")
        if self.warn_after is not None and self.fail_after is None:
            raise ValueError("warn_after needs fail_after")
        try:
            self.policy()
        except CheckError as error:
            raise ValueError(str(error)) from error
        return self

    def policy(self) -> dg.FreshnessPolicy:
        """The same in Dagster's terms."""
        if self.fail_after is not None:
            warn = None if self.warn_after is None else parse_duration(self.warn_after)
            return dg.FreshnessPolicy.time_window(parse_duration(self.fail_after), warn)
        assert self.deadline is not None
        assert self.within is not None
        return dg.FreshnessPolicy.cron(self.deadline, parse_duration(self.within), self.timezone)


Cadence = Literal["hourly", "daily", "weekly", "monthly"]


class TimePartition(Declaration):
    """Rows of one period are one partition of the asset."""

    column: str = Field(description="Column whose time decides the partition.")
    cadence: Cadence = Field(description="Length of a period.")
    start: str = Field(description="First period.", examples=["2024-01-01"])
    timezone: str = Field(default="UTC", description="IANA time zone in which periods begin.")

    @field_validator("start", mode="before")
    @classmethod
    def _text(cls, value: object) -> str:
        # YAML reads 2024-01-01 as a date.
        return str(value)

    @model_validator(mode="after")
    def _readable(self) -> TimePartition:
        try:
            self.definition()
        except (dg.DagsterError, CheckError, ValueError) as error:
            raise ValueError(f"start {self.start!r} is not readable: {error}") from error
        return self

    def definition(self) -> dg.TimeWindowPartitionsDefinition:
        """The same in Dagster's terms; equal declarations give equal definitions."""
        match self.cadence:
            case "hourly":
                start = self.start if ":" in self.start else f"{self.start}-00:00"
                return dg.HourlyPartitionsDefinition(start, timezone=self.timezone)
            case "daily":
                return dg.DailyPartitionsDefinition(self.start, timezone=self.timezone)
            case "weekly":
                return dg.WeeklyPartitionsDefinition(self.start, timezone=self.timezone)
            case "monthly":
                return dg.MonthlyPartitionsDefinition(self.start, timezone=self.timezone)


def automation_condition(automation: str | None) -> dg.AutomationCondition[Any] | None:
    """``eager``, ``on_missing``, ``none`` or a cron expression in Dagster's terms.

    Raises:
        ValueError: it is none of these.
    """
    match automation:
        case None | "none":
            return None
        case "eager":
            return dg.AutomationCondition.eager()
        case "on_missing":
            return dg.AutomationCondition.on_missing()
        case cron:
            return _on_cron(cron, "eager, on_missing, none or ")


def _on_cron(cron: str, others: str = "") -> dg.AutomationCondition[Any]:
    try:
        return dg.AutomationCondition.on_cron(cron)
    except CheckError as error:
        raise ValueError(f"{cron!r} is not {others}a cron expression of five fields") from error
