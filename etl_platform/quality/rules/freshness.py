"""freshness: the newest value of a time column is not too old."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from etl_platform.core.duck import literal, quote
from etl_platform.core.errors import ConfigError
from etl_platform.core.names import TableName
from etl_platform.quality.binding import only_where
from etl_platform.quality.facts import Facts
from etl_platform.quality.rules.base import Rule
from etl_platform.quality.steps import Measured, Settled, Step

if TYPE_CHECKING:
    import pyarrow as pa

_AGE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)\s*(s|m|h|d|w)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class FreshnessRule(Rule):
    """The newest value of a date or timestamp column is at most ``max_age`` before the audit.

    Times without zone are UTC, a date is its first moment. When rows are appended, those already in
    the table count too. Without any value there is nothing fresh, and the rule is broken.
    """

    rule: Literal["freshness"] = "freshness"
    can_quarantine = False
    can_tolerate = False

    column: str = Field(description="Name of the date or timestamp column.")
    max_age: str = Field(description="30s, 15m, 2h, 1.5d or 1w.", examples=["2d"])

    @field_validator("max_age")
    @classmethod
    def _duration(cls, text: str) -> str:
        match = _AGE.fullmatch(text.strip())
        if match is None or float(match[1]) * 604_800 > timedelta.max.days * 86_400:
            raise PydanticCustomError(
                "duration",
                "'{text}' is not an age: write a number and s, m, h, d or w",
                {"text": text},
            )
        return text.strip()

    @property
    def age(self) -> timedelta:
        """The oldest that the newest value may be."""
        match = _AGE.fullmatch(self.max_age)
        assert match is not None, "validated"
        return timedelta(**{_UNITS[match[2]]: float(match[1])})

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def demand(self) -> str:
        return f"has a value not older than {self.max_age}"

    def plan(self, facts: Facts) -> Step:
        known = facts.bounds(self.column)
        if known is not None and known[2] and facts.existing is None and self.condition is None:
            newest = _moment(known[1])
            if newest is not None:
                return self.weigh((str(newest), newest < self._oldest(facts)), facts)
        newest = self._newest(facts)
        oldest = f"CAST({literal(self._oldest(facts).isoformat(' '))} AS TIMESTAMP)"
        return Measured((f"CAST({newest} AS VARCHAR)", f"{newest} < {oldest}"))

    def weigh(self, values: tuple[Any, ...], facts: Facts) -> Settled:
        newest, too_old = values
        if newest is None:
            return Settled(failed=True, reason="no row has a value")
        now = facts.now.astimezone(UTC).replace(tzinfo=None)
        reason = f"the newest value is {newest}, now is {now:%Y-%m-%d %H:%M:%S} UTC"
        return Settled(failed=bool(too_old), reason=reason if too_old else "")

    def _newest(self, facts: Facts) -> str:
        newest = f"CAST(max({only_where(quote(self.column), self.condition)}) AS TIMESTAMP)"
        kept = facts.existing
        if kept is None or not set(self.reads) <= set(facts.columns_of(kept)):
            return newest
        return f"greatest({newest}, (SELECT {newest} FROM {kept}))"

    def _oldest(self, facts: Facts) -> datetime:
        try:
            return facts.now.astimezone(UTC).replace(tzinfo=None) - self.age
        except OverflowError:
            return datetime.min  # noqa: DTZ901 naive, as the column is read

    def check_schema(self, schema: pa.Schema, table: TableName) -> None:
        from pyarrow import types as t

        super().check_schema(schema, table)
        kind = schema.field(self.column).type
        if not (t.is_date(kind) or t.is_timestamp(kind)):
            raise ConfigError(
                f"contract of {table}: rule {self.name} does not fit column {self.column!r} "
                f"of type {kind}",
                valid="rule freshness is for columns of dates and timestamps",
            )


def _moment(value: object) -> datetime | None:
    """A date or time in UTC without zone; None for what Python cannot hold."""
    if isinstance(value, datetime):
        return value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 UTC by definition
    return None
