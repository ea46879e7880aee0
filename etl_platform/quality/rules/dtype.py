"""dtype: a column has the type that its readers count on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from etl_platform.quality.dtypes import arrow_type, canonical, polars_type
from etl_platform.quality.facts import Facts
from etl_platform.quality.rules.base import Rule
from etl_platform.quality.steps import BySchema, Step

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa


class DtypeRule(Rule):
    """The column has exactly this lake type. When it has not, every row counts as bad."""

    rule: Literal["dtype"] = "dtype"
    can_quarantine = False
    can_tolerate = False
    can_be_conditional = False

    column: str = Field(description="Name of the column.")
    dtype: str = Field(
        description="int8 to int64, float32, float64, decimal(p,s), bool, string, binary, date, "
        "timestamp, timestamptz, list<type>; SQL names such as bigint and varchar mean the same."
    )

    @field_validator("dtype")
    @classmethod
    def _known(cls, dtype: str) -> str:
        try:
            return canonical(dtype)
        except ValueError as error:
            raise PydanticCustomError("dtype", "{why}", {"why": str(error)}) from error

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def arrow(self) -> pa.DataType:
        return arrow_type(self.dtype)

    @property
    def polars(self) -> pl.DataType:
        return polars_type(self.arrow)

    def demand(self) -> str:
        return f"has type {self.dtype}"

    def plan(self, facts: Facts) -> Step:
        return BySchema()
