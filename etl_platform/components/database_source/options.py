"""What may be declared about the tables and queries of a database."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from etl_platform.components.options import AssetOptions
from etl_platform.components.timing import Declaration, TimePartition, parse_duration

EVERY_RUN = "every run"


class Deletes(Declaration):
    """What happens to loaded rows that the source no longer has.

    An incremental read cannot see a delete: from time to time the keys of all rows of the source
    are read, in one snapshot, and compared with those of the lake.
    """

    mode: Literal["soft", "hard", "ignore"] = Field(
        default="soft",
        description="soft: the time is written into a column, and removed when the row comes back. "
        "hard: the row is removed. ignore: it stays.",
    )
    every: str = Field(
        default="1d",
        description="How often the keys are compared: a duration since the last time, or every "
        "run. The time is kept in the table's log, so that restarts do not matter.",
        examples=["1d", "every run"],
    )
    column: str = Field(
        default="_deleted_at", description="The column that marks deleted rows (soft)."
    )
    max_share: float = Field(
        default=0.5,
        description="Refuse when more than this share of the rows is missing, or, below 1, all of "
        "them: then the source is more likely to be wrong. A run with the config accept_deletes: "
        "true goes on all the same.",
    )

    @field_validator("every")
    @classmethod
    def _readable(cls, value: str) -> str:
        if value != EVERY_RUN:
            parse_duration(value)
        return value

    @model_validator(mode="after")
    def _usable(self) -> Deletes:
        # Bounds in the annotation are not accepted by Dagster's resolution of YAML.
        if not 0 <= self.max_share <= 1:
            raise ValueError("max_share is between 0 and 1")
        return self

    @property
    def period(self) -> timedelta:
        """The least time between two comparisons."""
        return timedelta(0) if self.every == EVERY_RUN else parse_duration(self.every)


class Incremental(Declaration):
    """Only rows whose cursor is above the highest one loaded."""

    cursor: str = Field(description="Column that grows with every change.", examples=["updated_at"])
    key: list[str] | None = Field(
        default=None,
        description="Columns that identify a row: a row read again replaces the one loaded. "
        "Default: the primary key.",
    )
    lookback: str | float | None = Field(
        default=None,
        description="How far below the highest cursor to read again, for rows that arrive late: a "
        "duration for times, a number for numbers.",
        examples=["1h"],
    )
    resume: bool = Field(
        default=True,
        description="Read in the cursor's order over one connection (PostgreSQL, MariaDB, MySQL): "
        "when the connection is lost, what arrived is published, and the retry goes on from there "
        "instead of from the beginning. Costs a sort in the source where the cursor has no index.",
    )
    deletes: Deletes = Field(
        default=Deletes(mode="ignore"), description="Rows that the source has deleted."
    )

    @field_validator("lookback")
    @classmethod
    def _readable(cls, value: str | float | None) -> str | float | None:
        if isinstance(value, str):
            parse_duration(value)
        return value

    @property
    def marks(self) -> str | None:
        """The column that marks deleted rows, where they are marked."""
        return self.deletes.column if self.deletes.mode == "soft" else None

    @property
    def span(self) -> timedelta | float | None:
        """The lookback as a span of time or numbers."""
        return parse_duration(self.lookback) if isinstance(self.lookback, str) else self.lookback


class ExtractOptions(AssetOptions):
    """How rows are read. Neither incremental nor partition: the whole table, every time."""

    incremental: Incremental | None = Field(default=None, description="Read only what changed.")
    partition: TimePartition | None = Field(
        default=None, description="Read one period of time per run."
    )
    types: dict[str, str] | None = Field(
        default=None,
        description="Column types that overrule the reflected ones.",
        examples=[{"price": "decimal(18, 4)"}],
    )
    unconstrained_numeric: str | None = Field(
        default=None,
        description="For numeric without precision: error, string or decimal(p, s).",
    )
    unsupported: Literal["error", "string"] | None = Field(
        default=None, description="For types without a lossless place (times, intervals)."
    )
    engine: str | None = Field(
        default=None,
        description="Read with this engine only. Default: the platform chooses by capability and "
        "measured speed, see etl engines.",
        examples=["sqlalchemy"],
    )
    parallel: int | None = Field(
        default=None,
        description="Most connections that may read a whole table at once, on one snapshot. "
        "Default: by the table's size and this process's processors. Databases and engines that "
        "cannot share a snapshot read with one.",
        examples=[4],
    )
    schema_change: Literal["evolve", "freeze", "quarantine", "any"] | None = Field(
        default=None,
        description="When the source's columns are no longer those of the table, which is found "
        "before anything is read. evolve (default): columns may be added and widened, anything "
        "else fails. freeze: any change fails. quarantine: the known columns go on, values of new "
        "columns and rows that no longer fit are kept in <table>__quarantine, a column that is "
        "gone is null. any: a full refresh follows whatever the source did. Each time the assets "
        "and columns downstream are named.",
    )
    count_source_rows: bool | None = Field(
        default=None,
        description="Observe the number of rows in the source before each load; default true.",
    )

    @field_validator("parallel")
    @classmethod
    def _some_connection(cls, value: int | None) -> int | None:
        if value is not None and value < 1:
            raise ValueError("parallel is a number of connections, 1 or more")
        return value

    @model_validator(mode="after")
    def _one_way(self) -> ExtractOptions:
        if self.incremental is not None and self.partition is not None:
            raise ValueError("incremental and partition exclude each other")
        return self

    def over(self, defaults: AssetOptions) -> Self:
        """As for every asset; a way of reading said here overrules the other in the defaults."""
        merged = super().over(defaults)
        if merged.incremental is None or merged.partition is None:
            return merged
        dropped = "incremental" if self.partition is not None else "partition"
        return merged.model_copy(update={dropped: None})


class QueryOptions(ExtractOptions):
    """A query whose result is a table."""

    sql: str = Field(description="One SELECT in the database's own SQL; parameters as :name.")
    parameters: dict[str, Any] = Field(
        default_factory=dict[str, Any], description="Values of the parameters; bound, not pasted."
    )
