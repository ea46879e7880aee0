"""What may be declared about windows over a stream."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from etl_platform.components.options import AssetOptions
from etl_platform.components.timing import Declaration, parse_duration
from etl_platform.core.errors import ConfigError, EtlError
from etl_platform.core.names import TableName
from etl_platform.transforms.windows import Aggregate, Deduplication, WindowSpec
from etl_platform.transforms.windows.enrichment import Enrichment


class Deduplicating(Declaration):
    """Messages that repeat an earlier one are left out."""

    keys: list[str] = Field(description="Columns that identify a message.")
    horizon: str = Field(
        description="How far apart in event time two messages may be and still be the same.",
        examples=["10m"],
    )


class Enriching(Declaration):
    """Columns of a lake table, joined to the rows when a batch is aggregated."""

    table: str = Field(description="schema.table", examples=["nyc.airports"])
    on: dict[str, str] = Field(description="Columns of the stream to those of the table.")
    columns: list[str] = Field(description="What is added: keys and aggregates may name it.")


class WindowOptions(AssetOptions):
    """Windows over the event time of a stream; the other options are those of their results."""

    kind: Literal["tumbling", "hopping", "session"] = Field(default="tumbling", description="Kind.")
    size: str = Field(description="Length of a window; the gap that ends a session.")
    every: str | None = Field(default=None, description="How far hopping windows lie apart.")
    event_time: str = Field(description="The column that tells when something happened.")
    keys: list[str] = Field(default=[], description="Columns that split each window.")
    aggregates: dict[str, Any] = Field(
        description="Column of the results to what it says: count, or a function and its column: "
        "count, sum, min, max, avg, distinct, quantiles (with ranks).",
        examples=[{"flights": "count", "delay": {"quantiles": "dep_delay", "ranks": [0.5, 0.95]}}],
    )
    out_of_orderness: str = Field(
        default="0s", description="How far events may be behind the newest of their partition."
    )
    idle_after: str | None = Field(
        default=None,
        description="A partition without messages for so long does not hold the watermark back.",
    )
    allowed_lateness: str = Field(
        default="0s", description="How long after the watermark windows still take events."
    )
    late: Literal["dead_letter", "update"] = Field(
        default="dead_letter", description="What becomes of events that come later."
    )
    max_ahead: str | None = Field(
        default=None,
        description="How far events may be ahead of the time at which their batch was cut: those "
        "further ahead do not move the watermark.",
    )
    ahead: Literal["dead_letter", "take"] = Field(
        default="dead_letter",
        description="What becomes of events further ahead: dead letters, or rows of their windows.",
    )
    emit: Literal["watermark", "update"] = Field(
        default="watermark", description="Final results only, or all that there is so far."
    )
    filter: str | None = Field(default=None, description="SQL condition on rows.")
    deduplicate: Deduplicating | None = Field(default=None, description="Repeated messages.")
    enrich: Enriching | None = Field(default=None, description="Columns of a lake table.")

    @field_validator(
        "size", "every", "out_of_orderness", "idle_after", "allowed_lateness", "max_ahead"
    )
    @classmethod
    def _readable(cls, value: str | None) -> str | None:
        if value is not None:
            parse_duration(value)
        return value

    @model_validator(mode="after")
    def _possible(self) -> WindowOptions:
        try:
            self.spec("window")
        except EtlError as error:
            raise ValueError(str(error)) from error
        return self

    def spec(self, name: str) -> WindowSpec:
        """The window as the core knows it.

        Raises:
            ConfigError: what is declared cannot be.
        """
        repeated = self.deduplicate
        try:
            return WindowSpec(
                name=name,
                kind=self.kind,
                size=parse_duration(self.size),
                every=_span(self.every),
                event_time=self.event_time,
                keys=tuple(self.keys),
                aggregates=tuple(_aggregate(*one) for one in self.aggregates.items()),
                out_of_orderness=parse_duration(self.out_of_orderness),
                idle_after=_span(self.idle_after),
                allowed_lateness=parse_duration(self.allowed_lateness),
                late=self.late,
                max_ahead=_span(self.max_ahead),
                ahead=self.ahead,
                emit=self.emit,
                filter=self.filter,
                deduplicate=None
                if repeated is None
                else Deduplication(
                    keys=tuple(repeated.keys), horizon=parse_duration(repeated.horizon)
                ),
            )
        except ValidationError as error:
            first = error.errors()[0]
            # What is wrong with the whole names its parts itself; the input would be all of it.
            got = f", got {first['input']!r}" if first["loc"] else ""
            told = first["msg"].removeprefix("Value error, ")
            where = "" if told.startswith("window ") else f"window {name!r}: "
            raise ConfigError(f"{where}{told}{got}") from error

    @property
    def enrichment(self) -> Enrichment | None:
        said = self.enrich
        if said is None:
            return None
        return Enrichment(TableName.parse(said.table), said.on, tuple(said.columns))


def _span(text: str | None) -> timedelta | None:
    return None if text is None else parse_duration(text)


def _aggregate(name: str, said: object) -> Aggregate:
    valid = "count, or {function: column}; {quantiles: column, ranks: [0.5, 0.95]}"
    if said == "count":
        return Aggregate(name=name, function="count")
    if not isinstance(said, dict):
        raise ConfigError(f"aggregate {name!r} is {said!r}", valid=valid)
    options: dict[str, Any] = {str(key): value for key, value in said.items()}
    ranks = options.pop("ranks", ())
    if len(options) != 1:
        raise ConfigError(f"aggregate {name!r} is {said!r}", valid=valid)
    ((function, column),) = options.items()
    return Aggregate.model_validate(
        {"name": name, "function": function, "column": column, "ranks": tuple(ranks)}
    )
