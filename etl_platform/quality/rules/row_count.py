"""row_count: the batch has a plausible number of rows."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from etl_platform.quality.binding import count_rows
from etl_platform.quality.facts import Facts
from etl_platform.quality.rules.base import Rule
from etl_platform.quality.steps import Measured, Settled, Step


class RowCountRule(Rule):
    """The staged batch has ``min`` to ``max`` rows; rows already in the table do not count.

    ``max_increase`` and ``max_decrease`` compare with the batch before: the rows that this one
    replaces, or those of the last append. A first batch has nothing to be compared with and meets
    them; after an empty batch every row is an increase beyond any share.
    """

    rule: Literal["row_count"] = "row_count"
    can_quarantine = False
    can_tolerate = False

    min: int | None = Field(default=None, ge=0, description="Fewest rows.")
    max: int | None = Field(default=None, ge=0, description="Most rows.")
    max_increase: float | None = Field(
        default=None, ge=0, description="Largest growth since the batch before, 0.5 is half again."
    )
    max_decrease: float | None = Field(
        default=None, ge=0, le=1, description="Largest loss since the batch before, 0.5 is half."
    )

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        bounds = (self.min, self.max, self.max_increase, self.max_decrease)
        if all(bound is None for bound in bounds):
            raise PydanticCustomError(
                "no_bound", "a row_count rule needs min, max or both, max_increase or max_decrease"
            )
        if self.min is not None and self.max is not None and self.min > self.max:
            raise PydanticCustomError("empty_range", "min is greater than max")
        if self.where is not None and (self.max_increase, self.max_decrease) != (None, None):
            raise PydanticCustomError(
                "no_meaning",
                "max_increase and max_decrease compare whole batches: leave out where",
            )
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        return ()

    def demand(self) -> str:
        parts: list[str] = []
        if self.min is not None and self.max is not None:
            parts.append(f"has {self.min:,} to {self.max:,} rows")
        elif self.min is not None:
            parts.append(f"has at least {self.min:,} rows")
        elif self.max is not None:
            parts.append(f"has at most {self.max:,} rows")
        if self.max_increase is not None:
            parts.append(f"grows by at most {self.max_increase:.4g} of the batch before")
        if self.max_decrease is not None:
            parts.append(f"shrinks by at most {self.max_decrease:.4g} of the batch before")
        return " and ".join(parts)

    def plan(self, facts: Facts) -> Step:
        if self.condition is not None:
            return Measured((count_rows(self.condition.sql),))
        return self.weigh((facts.rows,), facts)

    def weigh(self, values: tuple[Any, ...], facts: Facts) -> Settled:
        rows, before = int(values[0]), facts.previous_rows
        failed = rows < (self.min or 0) or (self.max is not None and rows > self.max)
        reason = f"has {rows:,} rows"
        if before is not None:
            # The text of a share is what its author meant: 0.1 is a tenth, not a double near it.
            up, down = (
                None if share is None else Decimal(str(share)) * before
                for share in (self.max_increase, self.max_decrease)
            )
            changed = (up is not None and rows - before > up) or (
                down is not None and before - rows > down
            )
            failed |= changed
            reason += f", the batch before had {before:,}" if changed else ""
        return Settled(failed=failed, reason=reason if failed else "")
