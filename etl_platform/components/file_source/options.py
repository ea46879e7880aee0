"""What may be declared about tables of files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

import dagster as dg
from pydantic import Field, ValidationError, field_validator, model_validator

from etl_platform.components.file_source.partitions import FilePartition
from etl_platform.components.options import AssetOptions
from etl_platform.components.timing import Declaration, parse_duration
from etl_platform.core.errors import ConfigError, EtlError

if TYPE_CHECKING:
    from etl_platform.sources.files import FileOptions


class Batching(Declaration):
    """How much one run loads, in one commit; the rest waits for the next."""

    max_files: int = Field(default=100_000, description="Objects of one run.")
    max_mb: float = Field(default=65_536, description="Megabytes of one run, as they are stored.")

    @model_validator(mode="after")
    def _positive(self) -> Self:
        # Bounds in the annotation are not accepted by Dagster's resolution of YAML.
        if self.max_files < 1 or self.max_mb <= 0:
            raise ValueError("max_files and max_mb are above zero")
        return self


class Looking(Declaration):
    """How the sensor works."""

    every_s: int = Field(default=60, description="Seconds between two listings.")
    enabled: bool = Field(
        default=True, description="Whether the sensor runs as soon as it is deployed."
    )

    @model_validator(mode="after")
    def _positive(self) -> Self:
        if self.every_s < 1:
            raise ValueError("every_s is above zero")
        return self

    @property
    def status(self) -> dg.DefaultSensorStatus:
        states = dg.DefaultSensorStatus
        return states.RUNNING if self.enabled else states.STOPPED


class FileTableOptions(AssetOptions):
    """The objects that a pattern means, as one table."""

    path: str | None = Field(
        default=None,
        description="Pattern of keys below location: * within a name, ** across folders, ?, "
        "[abc], {csv,txt}.",
        examples=["planes/*.csv.gz", "events/**/*.parquet"],
    )
    read: dict[str, Any] | None = Field(
        default=None,
        description="What cannot be detected: format, compression, encoding, member, csv, json, "
        "xlsx, columns, types.",
        examples=[{"encoding": "cp1252", "csv": {"delimiter": ";"}, "types": {"zip": "string"}}],
    )
    rewritten: Literal["replace", "append", "refuse"] | None = Field(
        default=None,
        description="When an object that was loaded is written again. replace (default): its rows "
        "take the place of those before. append: they are added. refuse: it is bad.",
    )
    deleted: Literal["keep", "remove"] | None = Field(
        default=None, description="Rows of objects that are gone: keep (default) or remove them."
    )
    bad_files: Literal["quarantine", "fail"] | None = Field(
        default=None,
        description="quarantine (default): objects that cannot be read go to <table>__bad_files "
        "with the reason, and the others are published. fail: nothing is.",
    )
    schema_change: Literal["evolve", "freeze", "quarantine"] | None = Field(
        default=None,
        description="When an object has other columns than the table. evolve (default): columns "
        "may be added and widened; an object that does not fit is bad. freeze: one that has any "
        "new column or wider type is bad. quarantine: the table keeps its columns; rows go on "
        "without the values of new ones and are kept with them in <table>__quarantine, as are rows "
        "that do not fit.",
    )
    settle: str | None = Field(
        default=None,
        description="How old an object must be, for writers that do not write at once.",
        examples=["5m"],
    )
    partition: FilePartition | None = Field(
        default=None, description="Objects of one date or group, by their keys, are a partition."
    )
    batch: Batching = Field(default=Batching(), description="How much one run loads.")
    sensor: Looking = Field(default=Looking(), description="How often is looked for objects.")

    @field_validator("path")
    @classmethod
    def _pattern(cls, value: str | None) -> str | None:
        from etl_platform.sources.files.globs import glob

        if value is not None:
            try:
                glob(value)
            except EtlError as error:
                raise ValueError(str(error)) from error
        return value

    @field_validator("settle")
    @classmethod
    def _readable(cls, value: str | None) -> str | None:
        if value is not None:
            parse_duration(value)
        return value

    @field_validator("read")
    @classmethod
    def _known(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        file_options(value)
        return value

    @model_validator(mode="after")
    def _whole_partitions(self) -> Self:
        if self.partition is not None and (
            self.rewritten in ("append", "refuse") or self.deleted == "keep"
        ):
            raise ValueError(
                "a partition is replaced by what its objects are now: rewritten and deleted "
                "cannot say otherwise"
            )
        return self

    @property
    def file_options(self) -> FileOptions:
        """How objects are read."""
        return file_options(self.read)


def file_options(said: dict[str, Any] | None) -> FileOptions:
    """The options of a definition.

    Raises:
        ValueError: they are not usable, with all that is wrong.
    """
    from etl_platform.sources.files import FileOptions
    from etl_platform.sources.files.columns import declared_columns

    try:
        found = FileOptions.model_validate(said or {})
        declared_columns(found)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()
        )
        raise ValueError(f"read: {wrong}") from None
    except ConfigError as error:
        raise ValueError(f"read: {error}") from error
    return found
