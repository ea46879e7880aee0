"""not_in_set: values come from anywhere but a fixed list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from etl_platform.quality.rules.members import SetRule
from etl_platform.quality.values import Scalar, sql_literal

if TYPE_CHECKING:
    import pandera.polars as pandera
    import pyarrow as pa


class NotInSetRule(SetRule):
    """Values are none of a fixed list (placeholders such as ``N/A`` or -1); nulls are skipped."""

    rule: Literal["not_in_set"] = "not_in_set"  # pyright: ignore[reportIncompatibleVariableOverride] # the discriminator

    values: tuple[Scalar, ...] = Field(min_length=1, description="The values that are refused.")

    def demand(self) -> str:
        return f"is none of {self.shown()}"

    def bad(self, value: str, kind: pa.DataType) -> str:
        members = ", ".join(sql_literal(member, kind) for member in self.members(kind))
        return f"{value} IN ({members})" if members else "false"

    def check(self, kind: pa.DataType | None) -> pandera.Check:
        from pandera.polars import Check

        return Check.notin(list(self.values if kind is None else self.members(kind)))
