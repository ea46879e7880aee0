"""not_null: every row has a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from etl_platform.quality.facts import Facts
from etl_platform.quality.rules.base import ColumnRule
from etl_platform.quality.steps import PerRow, Settled, Step

if TYPE_CHECKING:
    import pandera.polars as pandera
    import pyarrow as pa


class NotNullRule(ColumnRule):
    """Every row has a value. NaN is a value."""

    rule: Literal["not_null"] = "not_null"

    def demand(self) -> str:
        return "is never null"

    def bad(self, value: str, kind: pa.DataType) -> str:
        return f"{value} IS NULL"

    def settle(self, facts: Facts) -> Settled | None:
        nulls = facts.nulls(self.column)
        if nulls is None:
            return None
        return Settled(nulls, failed=nulls > 0, reason=f"{nulls:,} nulls" if nulls else "")

    def plan(self, facts: Facts) -> Step:
        settled = self.settle(facts)
        if settled is not None and (self.where is None or not settled.failed):
            return settled
        return PerRow(self.violation(facts))

    def check(self, kind: pa.DataType | None) -> pandera.Check:
        """Nulls never reach pandera checks unless asked for; a schema says ``nullable=False``."""
        import polars as pl
        from pandera.polars import Check, PolarsData

        def present(data: PolarsData) -> pl.LazyFrame:
            return data.lazyframe.select(pl.col(data.key).is_not_null())

        return Check(present, name="not_null", ignore_na=False)
