"""What may be declared about the tables that a sink loads."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field, field_validator, model_validator

from etl_platform.components.sinking import SentOptions
from etl_platform.components.timing import parse_duration
from etl_platform.sinks.database.load import History, LoadMode

Mode = Literal["append", "replace", "upsert", "delete_insert", "scd2"]


class SinkOptions(SentOptions):
    """One table of the target."""

    mode: Mode = Field(
        default="replace",
        description="append: what was appended to the lake's table since the last load. replace: "
        "the whole table, swapped in at once. upsert: by key. delete_insert: rows with the same "
        "key columns are replaced. scd2: every version of a row is kept.",
    )
    key: list[str] = Field(
        default=[],
        description="Columns that identify a row; primary key where the table is created.",
        examples=[["id"]],
    )
    table_schema: str | None = Field(
        default=None, description="Schema of the target; default: the connection's own."
    )
    keep_before: str | None = Field(
        default=None,
        description="How long the rows that a load changes are kept, so that it can be reverted.",
        examples=["7d"],
    )
    reconcile: bool = Field(
        default=True, description="Compare the target with the lake after every load."
    )
    reconcile_by: str | None = Field(
        default=None, description="Column whose values are compared part by part."
    )
    valid_from: str = Field(default="valid_from", description="scd2: beginning of a version.")
    valid_to: str = Field(default="valid_to", description="scd2: end of a version.")
    close_missing: bool = Field(
        default=False, description="scd2: close rows that the lake does not have any more."
    )

    @field_validator("keep_before")
    @classmethod
    def _duration(cls, value: str | None) -> str | None:
        if value is not None:
            parse_duration(value)
        return value

    @model_validator(mode="after")
    def _possible(self) -> SinkOptions:
        if self.mode not in ("append", "replace") and not self.key:
            raise ValueError(f"mode {self.mode} needs a key")
        if self.mode == "append" and self.keep_before and not self.key:
            raise ValueError("appended rows can only be taken back by a key")
        return self

    @property
    def load_mode(self) -> LoadMode:
        return LoadMode(self.mode)

    @property
    def kept(self) -> timedelta | None:
        """How long a before-image is kept."""
        return None if self.keep_before is None else parse_duration(self.keep_before)

    @property
    def history(self) -> History:
        return History(self.valid_from, self.valid_to, self.close_missing)
