"""Rules, routes and channels as they are written in YAML."""

from __future__ import annotations

from datetime import time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator

from etl_platform.components.timing import Declaration, parse_duration
from etl_platform.core.errors import EtlError
from etl_platform.core.secrets import SecretRef
from etl_platform.monitoring.alerts import (
    KINDS,
    Alerting,
    Channel,
    Kind,
    QuietHours,
    Route,
    Rule,
    Severity,
)
from etl_platform.monitoring.alerts.quiet_hours import DAYS

_DAYS = {"all": DAYS, "weekdays": DAYS[:5], "weekend": DAYS[5:]}
_SLOW = 2.0


class RuleOptions(Declaration):
    """What opens an incident. Of several rules about the same, the first one holds."""

    kinds: list[Kind] = Field(
        default=list(KINDS),
        description="run_failure, check_failed, check_blocked, anomaly, freshness, sla, "
        "stream_lag, dead_letters, slow_run; default: all.",
    )
    assets: list[str] = Field(default=[], description="Patterns of keys.", examples=[["shop/*"]])
    severity: Severity | None = Field(
        default=None, description="warn or error; default: as it was observed."
    )
    at_least: Severity = Field(default="warn", description="Less grave ones are no incidents.")
    above: float | None = Field(
        default=None,
        description="Threshold: seconds of lag, dead letters, times the usual duration of a run "
        "(default 2).",
    )

    def rules(self) -> tuple[Rule, ...]:
        """The same without YAML; a slow run has a threshold of its own."""
        assets = tuple(self.assets)
        found = [
            Rule((kind,), assets, self.severity, self.at_least, self.above)
            if kind != "slow_run"
            else Rule((kind,), assets, self.severity, self.at_least, self.above or _SLOW)
            for kind in self.kinds
        ]
        return tuple(found)


class RouteOptions(Declaration):
    """Who is told: what matches everything that is said here goes to the channels in ``to``."""

    to: list[str] = Field(description="Names of channels.")
    kinds: list[Kind] = Field(default=[], description="Kinds of incidents; default: all.")
    owners: list[str] = Field(default=[], description="Patterns.", examples=[["team:*"]])
    groups: list[str] = Field(default=[], description="Patterns of asset groups.")
    assets: list[str] = Field(default=[], description="Patterns of keys.")
    tags: dict[str, str] = Field(default={}, description="Tags of the asset; * is any value.")
    at_least: Severity = Field(default="warn", description="Less grave ones do not go here.")
    last: bool = Field(default=False, description="Later routes are not asked.")

    def route(self) -> Route:
        """The same without YAML."""
        return Route(
            tuple(self.to),
            tuple(self.kinds),
            tuple(self.owners),
            tuple(self.groups),
            tuple(self.assets),
            dict(self.tags),
            self.at_least,
            self.last,
        )


class QuietOptions(Declaration):
    """When a channel is left alone."""

    begin: str = Field(description="Time of the wall clock.", examples=["22:00"])
    end: str = Field(description="Before begin: of the next day.", examples=["07:00"])
    timezone: str = Field(default="UTC", description="IANA time zone.")
    days: list[str] | str = Field(
        default="all",
        description="On which they begin: all, weekdays, weekend, or a list of mon to sun.",
    )

    @field_validator("begin", "end")
    @classmethod
    def _clock(cls, value: str) -> str:
        time.fromisoformat(value)
        return value

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{value!r} is not an IANA time zone") from error
        return value

    @field_validator("days")
    @classmethod
    def _known_days(cls, value: list[str] | str) -> list[str] | str:
        valid = DAYS if isinstance(value, list) else tuple(_DAYS)
        for one in value if isinstance(value, list) else [value]:
            if one not in valid:
                raise ValueError(f"{one!r} is no day: write {', '.join(valid)}")
        return value

    def quiet_hours(self) -> QuietHours:
        """The same without YAML."""
        days = tuple(self.days) if isinstance(self.days, list) else _DAYS[self.days]
        begin, end = time.fromisoformat(self.begin), time.fromisoformat(self.end)
        return QuietHours(begin, end, self.timezone, days)


class ChannelOptions(Declaration):
    """One address and when it may be used."""

    url: str = Field(
        description="Secret reference to one apprise URL.", examples=["env://ALERTS_MAIL"]
    )
    optional: bool = Field(
        default=False,
        description="Where the secret is not set, notices are kept for `etl alerts` alone.",
    )
    group_for: str = Field(
        default="0s", description="How long changes are collected into one notice."
    )
    quiet: list[QuietOptions] = Field(default=[], description="Quiet hours.")
    wakes: Severity | None = Field(
        default=None, description="Incidents of this severity are told in quiet hours, too."
    )

    @field_validator("url")
    @classmethod
    def _reference(cls, value: str) -> str:
        try:
            return str(SecretRef.parse(value))
        except EtlError as error:
            raise ValueError(str(error)) from error

    @field_validator("group_for")
    @classmethod
    def _duration(cls, value: str) -> str:
        parse_duration(value)
        return value

    def channel(self, name: str) -> Channel:
        """The same without YAML."""
        return Channel(
            name,
            self.url,
            self.optional,
            parse_duration(self.group_for),
            tuple(one.quiet_hours() for one in self.quiet),
            self.wakes,
        )


class AlertsOptions(Declaration):
    """A set of alerts: what the sensor and the commands work with."""

    name: str
    rules: list[RuleOptions]
    routes: list[RouteOptions]
    channels: dict[str, ChannelOptions]
    base_url: str | None = None

    def alerting(self) -> Alerting:
        """The same without YAML; without routes every channel is told of everything.

        Raises:
            ConfigError: a route names a channel that there is not.
        """
        every = RouteOptions(to=list(self.channels))
        return Alerting(
            self.name,
            tuple(rule for one in self.rules for rule in one.rules()),
            tuple(one.route() for one in self.routes or [every]),
            tuple(one.channel(name) for name, one in self.channels.items()),
        )
