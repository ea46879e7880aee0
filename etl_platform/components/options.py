"""What every component lets a user declare about its assets, as it is written in YAML."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self

import dagster as dg
from pydantic import Field, field_validator, model_validator

from etl_platform.components.sla.terms import METADATA as SLA_METADATA
from etl_platform.components.sla.terms import Sla
from etl_platform.components.timing import (
    Declaration,
    Freshness,
    Schedule,
    automation_condition,
    parse_duration,
)
from etl_platform.core.errors import EtlError
from etl_platform.core.names import TableName
from etl_platform.publishing.anomaly_checks import DEFAULT_METRICS, Watch
from etl_platform.publishing.declared import as_contract
from etl_platform.publishing.failures import Retries
from etl_platform.publishing.requirements import Requirements, as_requirements

if TYPE_CHECKING:
    from etl_platform.quality import Contract


def schema_name(value: str) -> str:
    """A schema of the lake, as it stands in YAML; for pydantic, which wants a ``ValueError``."""
    try:
        return TableName(value, "_").schema
    except EtlError as error:
        raise ValueError(str(error)) from error


class Anomalies(Declaration):
    """Metrics whose new values are compared with their history."""

    metrics: list[str] = Field(
        default=[*DEFAULT_METRICS],
        description="rows, size_bytes, score, gap (time since the last point), or column.metric: "
        "null_share, distinct, mean, std, min, max, p05 to p95, top_share, psi, ks (the last two: "
        "how far the values moved since the version before).",
        examples=[["rows", "amount.null_share"]],
    )
    sensitivity: Literal["low", "medium", "high"] = Field(
        default="medium", description="How unusual a value must be."
    )
    severity: Literal["warn", "error"] = Field(default="warn", description="Of an anomaly.")

    @field_validator("metrics")
    @classmethod
    def _measured(cls, value: list[str]) -> list[str]:
        from etl_platform.quality.anomalies.metrics import check_metric

        try:
            return [check_metric(metric) for metric in value]
        except EtlError as error:
            raise ValueError(str(error)) from error


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
    timeout: str | None = Field(
        default=None,
        description="The longest that one try may take; then it is stopped, in the source and in "
        "DuckDB too, and tried again as after any transient error. Default: no limit.",
        examples=["30m"],
    )
    freshness: Freshness | None = Field(default=None, description="How old the asset may be.")
    sla: Sla | None = Field(
        default=None,
        description="By when the asset, or each partition, has to be there.",
        examples=[{"by": "07:00", "timezone": "Europe/Berlin", "days": "weekdays"}],
    )
    schedule: Schedule | None = Field(
        default=None, description="Replaces the component's schedule for this asset."
    )
    profile: Literal["auto", "full", "basic", "off"] = Field(
        default="auto",
        description="How much the profile of each version says. full: everything, with sketches "
        "that can be merged. basic: less for columns with many distinct values. off: what the "
        "files' statistics tell. auto: full where that takes about half a second.",
    )
    anomalies: Anomalies | None = Field(
        default=None,
        description="A check for each of some metrics, as soon as its history is long enough.",
    )
    requires: dict[str, str] | None = Field(
        default=None,
        description="Of tables that it reads (* is every other), or it is not computed. published: "
        "the newest batch was not blocked. no_quarantine: nor were rows set aside. no_warnings: "
        "and every check passed.",
        examples=[{"shop.orders": "no_warnings"}],
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

    @field_validator("requires")
    @classmethod
    def _valid_requires(cls, value: dict[str, str] | None) -> dict[str, str] | None:
        try:
            as_requirements(value, "requires")
        except EtlError as error:
            raise ValueError(str(error)) from error
        return value

    @field_validator("automation")
    @classmethod
    def _valid_automation(cls, value: str | None) -> str | None:
        automation_condition(value)
        return value

    @field_validator("timeout")
    @classmethod
    def _valid_timeout(cls, value: str | None) -> str | None:
        if value is not None and not parse_duration(value):
            raise ValueError("a timeout is longer than nothing")
        return value

    @property
    def timeout_s(self) -> float | None:
        """The same in seconds."""
        return None if self.timeout is None else parse_duration(self.timeout).total_seconds()

    def over(self, defaults: AssetOptions) -> Self:
        """These options, with ``defaults`` where nothing is said; tags and ``requires`` are
        merged."""
        said = {name: getattr(self, name) for name in self.model_fields_set}
        base = {name: getattr(defaults, name) for name in defaults.model_fields_set}
        for name in {"tags", "requires"} & said.keys() & base.keys():
            said[name] = {**(base[name] or {}), **(said[name] or {})}
        return type(self).model_construct(_fields_set=None, **{**base, **said})

    def contract_of(self, where: str) -> Contract:
        """The contract, an empty one when none is declared.

        Raises:
            ConfigError: when it refers to a place in Python that has none.
        """
        return as_contract(self.contract, where)

    @property
    def requirements(self) -> Requirements:
        """What is required of the tables that the asset reads."""
        return as_requirements(self.requires, "requires")

    @property
    def stated(self) -> dict[str, Any]:
        """Metadata by which others find what is declared here."""
        return {} if self.sla is None else {SLA_METADATA: self.sla.model_dump(mode="json")}

    @property
    def watch(self) -> Watch:
        """The metrics to judge; none unless anomalies are declared."""
        said = self.anomalies
        return Watch(tuple(said.metrics), said.sensitivity, said.severity) if said else Watch()

    @cached_property
    def condition(self) -> dg.AutomationCondition[Any] | None:
        """The automation in Dagster's terms."""
        return automation_condition(self.automation)


class Retrying(Declaration):
    """What happens after a transient error (network, lock, restart); others are never retried."""

    attempts: int = Field(default=3, description="How often it is tried again.")
    delay_s: float = Field(default=10.0, description="Seconds before the first retry; doubles.")
    longest_s: float = Field(default=600.0, description="The longest wait, in seconds.")
    jitter: float = Field(
        default=0.2,
        description="Share of each wait that is left to chance, from 0 to 1, so that assets that "
        "failed together do not come back together.",
    )
    unknown: bool = Field(
        default=False,
        description="Also after errors of kinds that the platform does not know, such as those of "
        "a project's own Python code. Refused data and permanent errors are never tried again.",
    )

    @model_validator(mode="after")
    def _in_bounds(self) -> Retrying:
        # Bounds in the annotation are not accepted by Dagster's resolution of YAML.
        if min(self.attempts, self.delay_s, self.longest_s) < 0:
            raise ValueError("attempts, delay_s and longest_s are zero or more")
        if not 0 <= self.jitter <= 1:
            raise ValueError("jitter is a share from 0 to 1")
        return self

    def retries(self) -> Retries:
        return Retries(self.attempts, self.delay_s, self.longest_s, self.jitter, self.unknown)
