"""pandera's word on values: the schema authority behind every rule of a column."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl_platform.core.errors import PermanentError
from etl_platform.quality.rules import ColumnRule

if TYPE_CHECKING:
    import pandera.polars as pandera
    import polars as pl
    import pyarrow as pa


class EnginesDisagree(PermanentError):
    """DuckDB and pandera judge the same values differently: neither result can be trusted."""

    def __init__(self, rule: ColumnRule, duckdb: int, pandera: int, of: int) -> None:
        super().__init__(
            f"rule {rule.name} ({rule.description}): of {of:,} rows DuckDB refuses {duckdb:,}, "
            f"pandera {pandera:,}",
            fix="report this as a bug of the rule; until then express the rule differently",
        )


def failing(rule: ColumnRule, kind: pa.DataType, values: pl.Series) -> pl.Series:
    """Which values pandera's check refuses, as a boolean series.

    Raises:
        PermanentError: when pandera cannot run the check.
    """
    import polars as pl

    try:
        frame = pl.DataFrame({rule.column: values})
        return refused(rule.check(kind), frame.lazy(), rule.column)
    except pl.exceptions.PolarsError as error:
        raise PermanentError(
            f"rule {rule.name}: pandera cannot run it: {error}",
            fix="express the rule differently",
        ) from error


def refused(check: pandera.Check, frame: pl.LazyFrame, column: str | None) -> pl.Series:
    """The rows that a check refuses; one value when the check judges the frame as a whole."""
    result = check(frame, column)
    return result.check_output.collect().to_series().not_()


def confirm(rule: ColumnRule, kind: pa.DataType, values: pl.Series, *, bad: bool) -> None:
    """Have pandera agree that all of these values are bad, or that none is.

    Raises:
        EnginesDisagree: when it does not.
    """
    if not len(values):
        return
    count = int(failing(rule, kind, values).sum())
    expected = len(values) if bad else 0
    if count != expected:
        raise EnginesDisagree(rule, expected, count, len(values))
