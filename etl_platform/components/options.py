"""What every component lets a user declare about its assets, as it is written in YAML."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import dagster as dg
from dagster_shared.check import CheckError
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from etl_platform.core.errors import EtlError
from etl_platform.publishing.declared import as_contract
from etl_platform.publishing.failures import Retries

if TYPE_CHECKING:
    from etl_platform.quality import Contract

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


class AssetOptions(Declaration):
    """What may be said about any asset; a component's ``defaults`` and each asset's own entry."""

    contract: Any = Field(
        default=None,
        description="Rules that the data must keep, or package.module:Name of a pandera model.",
    )
    description: str | None = Field(default=None, description="Replaces the derived description.")
    owners: list[str] | None = Field(
        default=None, description="E-mail addresses, or team:name.", examples=[["team:data"]]
    )
    group: str | None = Field(default=None, description="Asset group.")
    tags: dict[str, str] | None = Field(default=None, description="Added to the component's tags.")
    automation: str | None = Field(
        default=None,
        description="eager: after every change upstream. on_missing: once, when it can be made. "
        "A cron expression: on its tick, after upstream. none: by schedule or by hand only.",
        examples=["eager"],
    )
    freshness: Freshness | None = Field(default=None, description="How old the asset may be.")
    schedule: Schedule | None = Field(
        default=None, description="Replaces the component's schedule for this asset."
    )

    @field_validator("contract")
    @classmethod
    def _valid_contract(cls, value: Any) -> Any:
        # A place in Python is imported when assets are built, not while YAML is read.
        if value is not None and not isinstance(value, str):
            try:
                as_contract(value, "contract")
            except EtlError as error:
                raise ValueError(str(error)) from error
        return value

    @field_validator("automation")
    @classmethod
    def _valid_automation(cls, value: str | None) -> str | None:
        _condition(value)
        return value

    def over(self, defaults: AssetOptions) -> Self:
        """These options, with ``defaults`` where nothing is said; tags are merged."""
        said = {name: getattr(self, name) for name in self.model_fields_set}
        base = {name: getattr(defaults, name) for name in defaults.model_fields_set}
        if "tags" in said and "tags" in base:
            said["tags"] = {**(base["tags"] or {}), **(said["tags"] or {})}
        return type(self).model_construct(_fields_set=None, **{**base, **said})

    def contract_of(self, where: str) -> Contract:
        """The contract, an empty one when none is declared.

        Raises:
            ConfigError: when it refers to a place in Python that has none.
        """
        return as_contract(self.contract, where)

    @cached_property
    def condition(self) -> dg.AutomationCondition[Any] | None:
        """The automation in Dagster's terms."""
        return _condition(self.automation)


class Retrying(Declaration):
    """What happens after a transient error (network, lock, restart); others are never retried."""

    attempts: int = Field(default=3, description="How often it is tried again.")
    delay_s: float = Field(default=10.0, description="Seconds before the first retry; doubles.")

    @model_validator(mode="after")
    def _not_negative(self) -> Retrying:
        # Bounds in the annotation are not accepted by Dagster's resolution of YAML.
        if self.attempts < 0 or self.delay_s < 0:
            raise ValueError("attempts and delay_s are zero or more")
        return self

    def retries(self) -> Retries:
        return Retries(self.attempts, self.delay_s)


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


def _condition(automation: str | None) -> dg.AutomationCondition[Any] | None:
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
