"""format: text is an email address, a URL, a date, ..."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from etl_platform.core.duck import literal
from etl_platform.quality.formats import PATTERNS, Format, not_json
from etl_platform.quality.patterns import to_polars
from etl_platform.quality.rules.base import ColumnRule

if TYPE_CHECKING:
    import pandera.polars as pandera
    import polars as pl
    import pyarrow as pa

_VALUES = "etl_platform_json"


class FormatRule(ColumnRule):
    """Text is written in a known format, see :mod:`etl_platform.quality.formats`; null is skipped.

    Email, URL and phone are judged by their form; whether somebody answers there is not asked.
    """

    rule: Literal["format"] = "format"
    types = "text"

    format: Format = Field(description="The format that the whole text has to have.")

    def demand(self) -> str:
        return f"is of format {self.format}"

    def default_name(self) -> str:
        return f"{super().default_name()}_{self.format}"

    def fits(self, kind: pa.DataType) -> bool:
        from pyarrow import types as t

        return t.is_string(kind)

    def bad(self, value: str, kind: pa.DataType) -> str:
        pattern = PATTERNS.get(self.format)
        if pattern is None:
            return not_json(value)
        return f"NOT regexp_full_match({value}, {literal(pattern)})"

    def check(self, kind: pa.DataType | None) -> pandera.Check:
        from pandera.polars import Check

        pattern = PATTERNS.get(self.format)
        return (
            _json_check() if pattern is None else Check.str_matches(f"^(?:{to_polars(pattern)})$")
        )


def _json_check() -> pandera.Check:
    import polars as pl
    from pandera.polars import Check, PolarsData

    def valid_json(data: PolarsData) -> pl.LazyFrame:
        column = pl.col(data.key)
        return data.lazyframe.select(column.map_batches(_is_json, return_dtype=pl.Boolean()))

    return Check(valid_json, name="json")


def _is_json(texts: pl.Series) -> pl.Series:
    import polars as pl

    from etl_platform.core.duck import sealed

    with sealed() as con:
        con.register(_VALUES, texts.rename("text").to_frame().to_arrow())
        found = con.sql(f"SELECT NOT {not_json('text')} AS valid FROM {_VALUES}").to_arrow_table()
        return pl.Series(pl.from_arrow(found["valid"]))
