"""distinct: a column has a plausible number of different values."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from etl_platform.core.duck import quote
from etl_platform.quality.facts import Facts
from etl_platform.quality.rules.base import Rule
from etl_platform.quality.steps import Asked, Counted, Settled, Step


class DistinctRule(Rule):
    """The number of different values lies within bounds, or its ratio to the rows with a value.

    Exact; null is no value, NaN is one. Of no values the ratio is not judged. Columns with few
    values are counted in the common scan; others take a question of their own.
    """

    rule: Literal["distinct"] = "distinct"
    can_quarantine = False
    can_tolerate = False

    column: str = Field(description="Name of the column.")
    min: int | None = Field(default=None, ge=0, description="Fewest different values.")
    max: int | None = Field(default=None, ge=0, description="Most different values.")
    min_ratio: float | None = Field(
        default=None, ge=0, le=1, description="Fewest different values per row with a value."
    )
    max_ratio: float | None = Field(
        default=None, ge=0, le=1, description="Most different values per row with a value."
    )

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        pairs = ((self.min, self.max), (self.min_ratio, self.max_ratio))
        if all(low is None and high is None for low, high in pairs):
            raise PydanticCustomError(
                "no_bound", "a distinct rule needs min, max, min_ratio or max_ratio"
            )
        if any(low is not None and high is not None and low > high for low, high in pairs):
            raise PydanticCustomError("empty_range", "min is greater than max")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def demand(self) -> str:
        bounds = (
            ("at least", self.min, "different values"),
            ("at most", self.max, "different values"),
            ("at least", self.min_ratio, "different values per row"),
            ("at most", self.max_ratio, "different values per row"),
        )
        return "has " + " and ".join(
            f"{word} {bound:,} {what}" for word, bound, what in bounds if bound is not None
        )

    def plan(self, facts: Facts) -> Step:
        if self.column in facts.counted and self.condition is None:
            return Counted(self.column)
        value = quote(self.column)
        return Asked(f"SELECT count(DISTINCT {value}), count({value}) FROM {self.scoped(facts)}")

    def weigh(self, values: tuple[Any, ...], facts: Facts) -> Settled:
        distinct, present = (int(value) for value in values)
        failed = (self.min is not None and distinct < self.min) or (
            self.max is not None and distinct > self.max
        )
        if present:
            least, most = self.min_ratio, self.max_ratio
            failed |= least is not None and distinct < Decimal(str(least)) * present
            failed |= most is not None and distinct > Decimal(str(most)) * present
        reason = f"{distinct:,} different values in {present:,} rows with a value"
        return Settled(failed=failed, reason=reason if failed else "")
