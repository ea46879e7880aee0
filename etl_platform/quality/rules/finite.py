"""finite: floating point numbers are numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from etl_platform.quality.facts import Facts
from etl_platform.quality.rules.base import ColumnRule
from etl_platform.quality.steps import Settled

if TYPE_CHECKING:
    import pandera.polars as pandera
    import polars as pl
    import pyarrow as pa


class FiniteRule(ColumnRule):
    """No value is NaN or infinite; null is skipped."""

    rule: Literal["finite"] = "finite"
    types = "floating point numbers"

    def demand(self) -> str:
        return "is finite"

    def fits(self, kind: pa.DataType) -> bool:
        from pyarrow import types as t

        return t.is_floating(kind)

    def bad(self, value: str, kind: pa.DataType) -> str:
        return f"NOT isfinite({value})"

    def settle(self, facts: Facts) -> Settled | None:
        # Files with a NaN have no bounds.
        low, high, _ = facts.bounds(self.column) or (math.nan, math.nan, False)
        if low is None or high is None:
            return Settled()
        if math.isfinite(low) and math.isfinite(high):
            return Settled(witnesses=(low, high))
        return None

    def check(self, kind: pa.DataType | None) -> pandera.Check:
        import polars as pl
        from pandera.polars import Check, PolarsData

        def finite(data: PolarsData) -> pl.LazyFrame:
            return data.lazyframe.select(pl.col(data.key).is_finite())

        return Check(finite, name="finite")
