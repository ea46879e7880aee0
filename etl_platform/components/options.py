"""What every component lets a user declare about its assets, as it is written in YAML."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self

import dagster as dg
from pydantic import Field, field_validator, model_validator

from etl_platform.components.timing import (
    Declaration,
    Freshness,
    Schedule,
    automation_condition,
)
from etl_platform.core.errors import EtlError
from etl_platform.core.names import TableName
from etl_platform.publishing.anomaly_checks import DEFAULT_METRICS, Watch
from etl_platform.publishing.declared import as_contract
from etl_platform.publishing.failures import Retries

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
    freshness: Freshness | None = Field(default=None, description="How old the asset may be.")
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
        automation_condition(value)
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

    @model_validator(mode="after")
    def _not_negative(self) -> Retrying:
        # Bounds in the annotation are not accepted by Dagster's resolution of YAML.
        if self.attempts < 0 or self.delay_s < 0:
            raise ValueError("attempts and delay_s are zero or more")
        return self

    def retries(self) -> Retries:
        return Retries(self.attempts, self.delay_s)
