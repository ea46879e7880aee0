"""range: values lie between two bounds."""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from etl_platform.core.errors import ConfigError
from etl_platform.quality.facts import Facts
from etl_platform.quality.rules.base import ColumnRule
from etl_platform.quality.steps import Settled
from etl_platform.quality.values import Scalar, sql_literal, typed

if TYPE_CHECKING:
    import pandera.polars as pandera
    import pyarrow as pa


class Bounds(NamedTuple):
    """Bounds as values of the column's type; None where there is none."""

    low: Any
    high: Any
    include_low: bool
    include_high: bool


class RangeRule(ColumnRule):
    """Values lie between ``min`` and ``max``; nulls are skipped, NaN breaks the rule.

    A bound with more digits than the column keeps counts exactly: ``max: 0.105`` allows 0.10 and
    refuses 0.11. A date as a bound of a timestamp means its midnight.
    """

    rule: Literal["range"] = "range"
    types = "numbers, dates, timestamps and text"

    min: Scalar | None = Field(default=None, description="Smallest allowed value.")
    max: Scalar | None = Field(default=None, description="Largest allowed value.")
    include_min: bool = Field(default=True, description="Whether min itself is allowed.")
    include_max: bool = Field(default=True, description="Whether max itself is allowed.")

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.min is None and self.max is None:
            raise PydanticCustomError("no_bound", "a range rule needs min, max or both")
        return self

    def demand(self) -> str:
        low = "at least" if self.include_min else "more than"
        high = "at most" if self.include_max else "less than"
        if self.max is None:
            return f"is {low} {self.min}"
        if self.min is None:
            return f"is {high} {self.max}"
        if self.include_min and self.include_max:
            return f"is between {self.min} and {self.max}"
        return f"is {low} {self.min} and {high} {self.max}"

    def fits(self, kind: pa.DataType) -> bool:
        from pyarrow import types as t

        return (
            t.is_integer(kind)
            or t.is_floating(kind)
            or t.is_decimal(kind)
            or t.is_temporal(kind)
            or t.is_string(kind)
        )

    def bounds(self, kind: pa.DataType) -> Bounds:
        """The bounds in the column's type, equivalent for every value that the type can hold."""
        from pyarrow import types as t

        where = f"rule {self.name}"
        low: Any = None if self.min is None else typed(self.min, kind, where)
        high: Any = None if self.max is None else typed(self.max, kind, where)
        include_low, include_high = self.include_min, self.include_max
        if low is not None and high is not None and low > high:
            raise ConfigError(f"{where}: min {self.min} is greater than max {self.max}")
        if t.is_integer(kind) or t.is_decimal(kind):
            if isinstance(low, Decimal):
                low, include_low = _on_grid(low, kind, ROUND_CEILING, include_low, where)
            if isinstance(high, Decimal):
                high, include_high = _on_grid(high, kind, ROUND_FLOOR, include_high, where)
        return Bounds(low, high, include_low, include_high)

    def bad(self, value: str, kind: pa.DataType) -> str:
        from pyarrow import types as t

        low, high, include_low, include_high = self.bounds(kind)
        terms: list[str] = []
        if low is not None:
            terms.append(f"{value} {'<' if include_low else '<='} {sql_literal(low, kind)}")
        if high is not None:
            terms.append(f"{value} {'>' if include_high else '>='} {sql_literal(high, kind)}")
        if t.is_floating(kind):
            terms.append(f"isnan({value})")
        return "(" + (" OR ".join(terms) or "false") + ")"

    def settle(self, facts: Facts) -> Settled | None:
        known = facts.bounds(self.column)
        if known is None:
            return None
        smallest, largest, _ = known
        if smallest is None or largest is None:
            return Settled()
        low, high, include_low, include_high = self.bounds(facts.kind(self.column))
        meets_low = low is None or smallest > low or (include_low and smallest == low)
        meets_high = high is None or largest < high or (include_high and largest == high)
        return Settled(witnesses=(smallest, largest)) if meets_low and meets_high else None

    def check(self, kind: pa.DataType | None) -> pandera.Check:
        from pandera.polars import Check

        low, high, include_low, include_high = (
            self.bounds(kind)
            if kind is not None
            else Bounds(self.min, self.max, self.include_min, self.include_max)
        )
        if high is None and kind is not None and _is_floating(kind):
            # Polars orders NaN above every number, so only an upper bound refuses it.
            high, include_high = math.inf, True
        if low is not None and high is not None:
            return Check.in_range(low, high, include_low, include_high)
        if low is not None:
            return Check.ge(low) if include_low else Check.gt(low)
        if high is not None:
            return Check.le(high) if include_high else Check.lt(high)
        return _anything()


def _is_floating(kind: pa.DataType) -> bool:
    from pyarrow import types as t

    return t.is_floating(kind)


def _on_grid(
    bound: Decimal, kind: Any, rounding: str, include: bool, where: str
) -> tuple[Any, bool]:
    """The nearest bound that the type holds, on the allowed side; None when all are inside."""
    from pyarrow import types as t

    with localcontext() as context:
        context.prec = 80
        if t.is_integer(kind):
            exponent, limit = Decimal(1), Decimal(2) ** (kind.bit_width - 1)
            lowest, highest = -limit, limit - 1
        else:
            exponent = Decimal(1).scaleb(-kind.scale)
            highest = (Decimal(10) ** kind.precision - 1) * exponent
            lowest = -highest
        if rounding == ROUND_CEILING and bound < lowest:
            return None, True
        if rounding == ROUND_FLOOR and bound > highest:
            return None, True
        if not lowest <= bound <= highest:
            raise ConfigError(f"{where}: no {kind} lies on the allowed side of {bound}")
        rounded = bound.quantize(exponent, rounding=rounding)
        # A bound between two possible values is met by its neighbour, included or not.
        include = include or rounded != bound
        return (int(rounded) if t.is_integer(kind) else rounded), include


def _anything() -> pandera.Check:
    import polars as pl
    from pandera.polars import Check, PolarsData

    def anything(data: PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(pl.col(data.key).is_null().or_(pl.lit(value=True)))

    return Check(anything, name="anything")
