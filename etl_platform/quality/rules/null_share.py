"""null_share: not too many rows are without a value."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

from pydantic import Field

from etl_platform.core.duck import quote
from etl_platform.quality.binding import count_rows
from etl_platform.quality.facts import Facts
from etl_platform.quality.rules.base import Rule
from etl_platform.quality.steps import Measured, Settled, Step


class NullShareRule(Rule):
    """At most a share of the rows is null; a batch without rows meets it. NaN is a value."""

    rule: Literal["null_share"] = "null_share"
    can_quarantine = False
    can_tolerate = False

    column: str = Field(description="Name of the column.")
    max: float = Field(ge=0, lt=1, description="Largest share of nulls, 0 to 1.")

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def demand(self) -> str:
        return f"is null in at most {self.max:.4g} of the rows"

    def plan(self, facts: Facts) -> Step:
        nulls = facts.nulls(self.column)
        condition = self.condition
        if nulls == 0:
            return Settled()
        if nulls is not None and condition is None:
            return self.weigh((nulls, facts.rows), facts)
        rows = count_rows(condition.sql) if condition else "count(*)"
        return Measured((count_rows(self.violation(facts)), rows))

    def weigh(self, values: tuple[Any, ...], facts: Facts) -> Settled:
        nulls, rows = (int(value) for value in values)
        failed = nulls > Decimal(str(self.max)) * rows
        return Settled(
            nulls if failed else 0,
            failed=failed,
            reason=f"{nulls / rows:.4g} of {rows:,} rows" if failed else "",
        )

    def violation(self, facts: Facts) -> str:
        return self.within(f"({quote(self.column)} IS NULL)")
