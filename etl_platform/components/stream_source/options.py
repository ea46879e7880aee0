"""What may be declared about streams."""

from __future__ import annotations

from typing import Any, Literal

import dagster as dg
from pydantic import Field, field_validator, model_validator

from etl_platform.components.options import AssetOptions
from etl_platform.components.stream_source.window_options import WindowOptions
from etl_platform.components.timing import Declaration, Schedule, parse_duration
from etl_platform.core.errors import ConfigError, EtlError
from etl_platform.sources.stream.merging import Period

_BY_TIME = "leave it out; batch_span_s, of kinesis, bounds a batch by time"
_WITHOUT_EFFECT = {
    "kafka": {"parallel": "leave it out; one consumer reads from all brokers at the same time"},
    "kinesis": {"max_rows": _BY_TIME, "max_mb": _BY_TIME},
}
"""Options of a batch that a kind of broker does not heed, and what to do instead."""


class Batching(Declaration):
    """How large a batch becomes, and how long messages wait for it."""

    max_rows: int = Field(default=1_000_000, description="Messages of one batch. Kafka only.")
    max_mb: float = Field(
        default=512,
        description="Megabytes of one batch, as far as earlier batches tell what a message weighs. "
        "Kafka only.",
    )
    max_age: str = Field(
        default="0s",
        description="How long messages may wait for a batch that is not full. 0s: every look at "
        "the broker that finds any makes a batch.",
        examples=["5m"],
    )
    parallel: int = Field(
        default=4,
        description="Connections that read the ranges of a batch at the same time. Kinesis only: "
        "one consumer of Kafka reads from all of its brokers at the same time.",
    )

    @field_validator("max_age")
    @classmethod
    def _readable(cls, value: str) -> str:
        parse_duration(value)
        return value

    @model_validator(mode="after")
    def _positive(self) -> Batching:
        # Bounds in the annotation are not accepted by Dagster's resolution of YAML.
        if self.max_rows < 1 or self.max_mb <= 0 or self.parallel < 1:
            raise ValueError("max_rows, max_mb and parallel are above zero")
        return self

    def check_effect(self, kind: str, stream: str) -> None:
        """Refuse what a kind of broker would not heed.

        Raises:
            ConfigError: an option is set that has no effect there.
        """
        for name in sorted(self.model_fields_set & _WITHOUT_EFFECT[kind].keys()):
            raise ConfigError(
                f"{stream}: batch.{name} has no effect on {kind}", fix=_WITHOUT_EFFECT[kind][name]
            )


class Looking(Declaration):
    """How the sensor works."""

    every_s: int = Field(default=30, description="Seconds between two looks at the broker.")
    budget_s: float = Field(
        default=20.0, description="Seconds that a look may take; the broker answers in them or not."
    )
    max_unfinished: int = Field(
        default=4,
        description="Batches that are requested and not finished: at so many no further one is "
        "cut, and what waits at the broker is the lag.",
    )
    in_order: bool = Field(
        default=False,
        description="A batch is only requested when all before it are published, so that messages "
        "of a key become rows in their order.",
    )
    give_up_after: str = Field(
        default="1h",
        description="A run that takes longer is taken for dead: it is cancelled, and "
        "its batch is requested again.",
    )
    enabled: bool = Field(
        default=True,
        description="Whether the sensor, and those of the windows, run as soon as it is deployed.",
    )

    @field_validator("give_up_after")
    @classmethod
    def _readable(cls, value: str) -> str:
        parse_duration(value)
        return value

    @model_validator(mode="after")
    def _positive(self) -> Looking:
        if self.every_s < 1 or self.budget_s <= 0 or self.max_unfinished < 1:
            raise ValueError("every_s, budget_s and max_unfinished are above zero")
        return self

    @property
    def status(self) -> dg.DefaultSensorStatus:
        """Of the stream's sensor and of those of its windows."""
        states = dg.DefaultSensorStatus
        return states.RUNNING if self.enabled else states.STOPPED


class Compaction(Declaration):
    """Batches of a time that is over become one partition."""

    periods: list[Period] = Field(
        default=["hour", "day", "month"],
        description="Each partition goes into the longest of these that is over for it.",
    )
    after: str = Field(default="1h", description="How long a period must be over.")
    max_rows: int = Field(default=50_000_000, description="Rows of one merged partition.")
    schedule: Schedule = Field(
        default=Schedule(cron="20 * * * *"), description="When batches are merged."
    )
    enabled: bool = Field(default=True, description="Whether batches are ever merged.")

    @field_validator("after")
    @classmethod
    def _readable(cls, value: str) -> str:
        parse_duration(value)
        return value


class StreamOptions(AssetOptions):
    """One topic or stream as one table."""

    topic: str | None = Field(
        default=None, description="Its name at the broker; default: the table's."
    )
    decode: Any = Field(
        default=None,
        description="The format of messages and its columns.",
        examples=[{"format": "json", "columns": {"id": "int64"}}],
    )
    start: Literal["earliest", "latest"] = Field(
        default="earliest",
        description="Where a stream that was never read begins. Partitions that come later are "
        "always read from their beginning.",
    )
    batch: Batching = Field(default=Batching(), description="How large a batch becomes.")
    sensor: Looking = Field(default=Looking(), description="How the broker is looked at.")
    windows: dict[str, WindowOptions] = Field(
        default={}, description="Windows over its events, by the names of their tables."
    )

    @field_validator("decode")
    @classmethod
    def _decodable(cls, value: Any) -> Any:
        from etl_platform.components.stream_source.decoding import as_format

        if value is not None:
            try:
                as_format(value)
            except EtlError as error:
                raise ValueError(str(error)) from error
        return value
