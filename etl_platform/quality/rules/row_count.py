"""row_count: the batch has a plausible number of rows."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from etl_platform.quality.facts import Facts
from etl_platform.quality.rules.base import Rule
from etl_platform.quality.steps import Settled, Step


class RowCountRule(Rule):
    """The staged batch has ``min`` to ``max`` rows; rows already in the table do not count."""

    rule: Literal["row_count"] = "row_count"
    can_quarantine = False

    min: int | None = Field(default=None, ge=0, description="Fewest rows.")
    max: int | None = Field(default=None, ge=0, description="Most rows.")

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.min is None and self.max is None:
            raise PydanticCustomError("no_bound", "a row_count rule needs min, max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise PydanticCustomError("empty_range", "min is greater than max")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        return ()

    def demand(self) -> str:
        if self.max is None:
            return f"has at least {self.min:,} rows"
        if self.min is None:
            return f"has at most {self.max:,} rows"
        return f"has {self.min:,} to {self.max:,} rows"

    def plan(self, facts: Facts) -> Step:
        rows = facts.rows
        failed = rows < (self.min or 0) or (self.max is not None and rows > self.max)
        return Settled(0, failed=failed, reason=f"has {rows:,} rows" if failed else "")
