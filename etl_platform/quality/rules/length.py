"""length: text has a number of characters within bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from etl_platform.quality.rules.base import ColumnRule

if TYPE_CHECKING:
    import pandera.polars as pandera
    import pyarrow as pa

_MAX_BYTES_PER_CHARACTER = 4


class LengthRule(ColumnRule):
    """Text has between ``min`` and ``max`` characters (Unicode code points); nulls are skipped."""

    rule: Literal["length"] = "length"
    types = "text"

    min: int | None = Field(default=None, ge=0, description="Fewest characters.")
    max: int | None = Field(default=None, ge=0, description="Most characters.")

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.min is None and self.max is None:
            raise PydanticCustomError("no_bound", "a length rule needs min, max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise PydanticCustomError("empty_range", "min is greater than max")
        return self

    def demand(self) -> str:
        if self.min == self.max:
            return f"has exactly {self.min} characters"
        if self.max is None:
            return f"has at least {self.min} characters"
        if self.min is None:
            return f"has at most {self.max} characters"
        return f"has {self.min} to {self.max} characters"

    def fits(self, kind: pa.DataType) -> bool:
        from pyarrow import types as t

        return t.is_string(kind)

    def bad(self, value: str, kind: pa.DataType) -> str:
        # Counting characters costs ten times what counting bytes does. n bytes hold at most n and
        # at least n/4 characters, which decides for almost every row.
        length, size = f"length({value})", f"strlen({value})"
        exact, sure = [], []
        if self.min:
            exact.append(f"{length} >= {self.min}")
            sure.append(f"{size} >= {_MAX_BYTES_PER_CHARACTER * (self.min - 1) + 1}")
        if self.max is not None:
            exact.append(f"{length} <= {self.max}")
            sure.append(f"{size} <= {self.max}")
        if not exact:
            return "false"
        return f"CASE WHEN {' AND '.join(sure)} THEN false ELSE NOT ({' AND '.join(exact)}) END"

    def check(self, kind: pa.DataType | None) -> pandera.Check:
        from pandera.polars import Check

        return Check.str_length(self.min, self.max)
