"""set: values come from a fixed list."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from etl_platform.quality.rules.base import ColumnRule
from etl_platform.quality.values import Scalar, shortened, sql_literal, typed

if TYPE_CHECKING:
    import pandera.polars as pandera
    import pyarrow as pa

_SHOWN = 8
_SHOWN_CHARACTERS = 60
_MOST_VALUES = 10_000


class SetRule(ColumnRule):
    """Values come from a fixed list; nulls are skipped."""

    rule: Literal["set"] = "set"
    types = "numbers, dates, timestamps, text and truth values"

    values: tuple[Scalar, ...] = Field(min_length=1, description="The allowed values.")

    @field_validator("values")
    @classmethod
    def _not_too_many(cls, values: tuple[Scalar, ...]) -> tuple[Scalar, ...]:
        if len(values) > _MOST_VALUES:
            raise PydanticCustomError(
                "too_many",
                "{count} values, at most {most} are read: a longer list belongs in a table, "
                "which a foreign_key rule refers to",
                {"count": f"{len(values):,}", "most": f"{_MOST_VALUES:,}"},
            )
        return values

    def demand(self) -> str:
        return f"is one of {self.shown()}"

    def shown(self) -> str:
        """The first values, and how many more there are."""
        shown = ", ".join(
            shortened(str(value), _SHOWN_CHARACTERS) for value in self.values[:_SHOWN]
        )
        more = len(self.values) - _SHOWN
        return shown + (f" and {more:,} more" if more > 0 else "")

    def fits(self, kind: pa.DataType) -> bool:
        from pyarrow import types as t

        return not (t.is_nested(kind) or t.is_binary(kind))

    def members(self, kind: pa.DataType) -> tuple[Any, ...]:
        """The values in the column's type; those that it cannot hold are left out."""
        from pyarrow import types as t

        read = [typed(value, kind, f"rule {self.name}") for value in self.values]
        if t.is_integer(kind):
            limit = 2 ** (kind.bit_width - 1)
            return tuple(
                int(v)
                for v in read
                if isinstance(v, Decimal) and v == v.to_integral_value() and -limit <= v < limit
            )
        if t.is_decimal(kind):
            return tuple(v for v in read if isinstance(v, Decimal) and _holds(kind, v))
        return tuple(read)

    def bad(self, value: str, kind: pa.DataType) -> str:
        members = ", ".join(sql_literal(member, kind) for member in self.members(kind))
        return f"{value} NOT IN ({members})" if members else f"{value} IS NOT NULL"

    def check(self, kind: pa.DataType | None) -> pandera.Check:
        from pandera.polars import Check

        return Check.isin(list(self.values if kind is None else self.members(kind)))


def _holds(kind: Any, value: Decimal) -> bool:
    _, digits, exponent = value.normalize().as_tuple()
    exponent = int(exponent)
    return -exponent <= kind.scale and len(digits) + exponent <= kind.precision - kind.scale
