"""regex: text matches a pattern as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from etl_platform.core.duck import literal
from etl_platform.quality.patterns import PatternError, compile_pattern, to_polars
from etl_platform.quality.rules.base import ColumnRule

if TYPE_CHECKING:
    import pandera.polars as pandera
    import pyarrow as pa


class RegexRule(ColumnRule):
    """The whole text matches an RE2 pattern (linear time); nulls are skipped.

    ``\\d``, ``\\w``, ``\\s`` and ``\\b`` mean ASCII, ``.`` is every character but a line break.
    """

    rule: Literal["regex"] = "regex"
    types = "text"

    pattern: str = Field(
        max_length=4_000, description="RE2 pattern that the whole text has to match."
    )

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            compile_pattern(pattern)
        except PatternError as error:
            raise PydanticCustomError(
                "pattern",
                "pattern '{pattern}' is not usable: {why}",
                {"pattern": pattern, "why": str(error)},
            ) from error
        return pattern

    def demand(self) -> str:
        return f"matches {self.pattern}"

    def fits(self, kind: pa.DataType) -> bool:
        from pyarrow import types as t

        return t.is_string(kind)

    def bad(self, value: str, kind: pa.DataType) -> str:
        return f"NOT regexp_full_match({value}, {literal(self.pattern)})"

    def check(self, kind: pa.DataType | None) -> pandera.Check:
        from pandera.polars import Check

        return Check.str_matches(f"^(?:{to_polars(self.pattern)})$")
