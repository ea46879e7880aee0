"""expression: a condition that every row meets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator

from etl_platform.core.names import TableName
from etl_platform.quality.binding import check_condition
from etl_platform.quality.expressions import Condition, parse_condition
from etl_platform.quality.facts import Facts
from etl_platform.quality.rules.base import Rule, as_condition
from etl_platform.quality.steps import PerRow, Step

if TYPE_CHECKING:
    import pyarrow as pa


class ExpressionRule(Rule):
    """A SQL condition over a row's own columns holds; as in SQL's ``CHECK``, NULL meets it.

    See :mod:`etl_platform.quality.expressions` for what may be written.
    """

    rule: Literal["expression"] = "expression"

    expression: str = Field(description="SQL condition over the columns of a row, true for good.")

    @field_validator("expression")
    @classmethod
    def _demands(cls, text: str) -> str:
        return as_condition(text)

    @property
    def demanded(self) -> Condition:
        """The condition, read and confined."""
        return parse_condition(self.expression)

    @property
    def columns(self) -> tuple[str, ...]:
        return self.demanded.columns

    def demand(self) -> str:
        return f"meets {self.expression}"

    def _sentence(self) -> str:
        return self.demand() if self.where is None else f"{self.demand()}, where {self.where}"

    def plan(self, facts: Facts) -> Step:
        return PerRow(self.violation(facts))

    def violation(self, facts: Facts) -> str:
        return self.within(f"coalesce(NOT {self.demanded.sql}, false)")

    def check_schema(self, schema: pa.Schema, table: TableName) -> None:
        super().check_schema(schema, table)
        check_condition(self.demanded, schema, f"contract of {table}, rule {self.name}")
