"""Which partition an object belongs to, by its key."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Self
from zoneinfo import ZoneInfo

import dagster as dg
from pydantic import Field, field_validator, model_validator

from etl_platform.components.timing import Cadence, Declaration, TimePartition


class FilePartition(Declaration):
    """Objects of one date, or of one group, are one partition of the table."""

    match: str = Field(
        description="Regular expression that finds the date or the group in a key; its only group "
        "is what counts. Objects in whose keys it finds nothing are not loaded.",
        examples=["/dt=([0-9-]+)/", "/region=([^/]+)/"],
    )
    cadence: Cadence | None = Field(
        default=None, description="Length of a period. Without it, partitions are groups."
    )
    format: str = Field(default="%Y-%m-%d", description="How dates are written (strptime).")
    start: str | None = Field(default=None, description="First period.", examples=["2024-01-01"])
    timezone: str = Field(default="UTC", description="IANA time zone of the dates.")

    @field_validator("start", mode="before")
    @classmethod
    def _text(cls, value: object) -> object:
        # YAML reads 2024-01-01 as a date.
        return None if value is None else str(value)

    @model_validator(mode="after")
    def _readable(self) -> Self:
        try:
            found = re.compile(self.match)
        except re.error as error:
            raise ValueError(f"match is no regular expression: {error}") from error
        if found.groups != 1:
            raise ValueError(f"match has {found.groups} groups; one says what the partition is")
        if (self.cadence is None) != (self.start is None):
            raise ValueError("cadence and start belong together")
        if self.cadence is not None:
            self.definition("-")
        return self

    def definition(
        self, name: str
    ) -> dg.TimeWindowPartitionsDefinition | dg.DynamicPartitionsDefinition:
        """The same in Dagster's terms.

        Args:
            name: of the set of groups.
        """
        if self.cadence is None or self.start is None:
            return dg.DynamicPartitionsDefinition(name=name)
        return TimePartition(
            column="-", cadence=self.cadence, start=self.start, timezone=self.timezone
        ).definition()

    def part_of(self, key: str) -> str | None:
        """The partition's key; None where the object has none."""
        found = re.search(self.match, key)
        if found is None or not found[1]:
            return None
        if self.cadence is None:
            return found[1]
        try:
            # A date without zone is one of the declared time zone.
            moment = datetime.strptime(found[1], self.format)  # noqa: DTZ007
        except ValueError:
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=ZoneInfo(self.timezone))
        periods = self.definition("-")
        assert isinstance(periods, dg.TimeWindowPartitionsDefinition)
        return periods.get_partition_key_for_timestamp(moment.timestamp())
