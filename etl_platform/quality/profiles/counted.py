"""A column's statistics from the number of rows of each of its values: all exact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from etl_platform.quality.counts import ValueCounts
from etl_platform.quality.profiles.column import Column
from etl_platform.quality.profiles.days import DAY_US, Days
from etl_platform.quality.profiles.moments import Moments
from etl_platform.quality.profiles.shapes import count_shapes, is_untidy
from etl_platform.quality.profiles.sketch import ColumnSketch, Family

if TYPE_CHECKING:
    import polars as pl

_MOST_SHAPED = 2_048
_MOST_SHAPES = 20


def from_counts(base: ColumnSketch, counts: ValueCounts) -> Column:
    """Fill in what follows from the counts.

    Args:
        base: name, type, rows, nulls and bounds.
    """
    found: dict[str, Any] = {}
    if base.family.is_number or base.family is Family.BOOLEAN:
        found = _numbers(counts, base.family)
    elif base.family is Family.TEXT:
        found = _texts(counts)
    elif base.family in (Family.DATE, Family.TIMESTAMP):
        days = _days(counts.values)
        found = {"days": Days.of(days)}
    return Column(base.model_copy(update=found), counts)


def _days(values: pl.Series) -> Any:
    import polars as pl

    physical = values.to_physical().cast(pl.Int64).to_numpy()
    return physical if values.dtype == pl.Date else physical // DAY_US


def _numbers(counts: ValueCounts, family: Family) -> dict[str, Any]:
    import numpy as np
    import polars as pl

    values = counts.values.cast(pl.Float64).to_numpy()
    rows = counts.rows.to_numpy()
    finite = np.isfinite(values)
    moments = Moments.of(values[finite], rows[finite])
    if family is Family.BOOLEAN:
        return {"moments": moments}
    return {
        "moments": moments,
        "nan": int(rows[np.isnan(values)].sum()),
        "infinite": int(rows[np.isinf(values)].sum()),
        "zero": int(rows[values == 0].sum()),
        "negative": int(rows[values < 0].sum()),
    }


def _texts(counts: ValueCounts) -> dict[str, Any]:
    import polars as pl

    lengths = counts.values.str.len_chars()
    found: dict[str, Any] = {
        "lengths": Moments.of(lengths.cast(pl.Float64).to_numpy(), counts.rows.to_numpy()),
        "shortest": lengths.min(),
        "longest": lengths.max(),
    }
    if len(counts.values) <= _MOST_SHAPED:
        found |= looked_at(list(zip(counts.values.to_list(), counts.rows.to_list(), strict=True)))
    return found


def looked_at(texts: list[tuple[str, int]]) -> dict[str, Any]:
    """Shapes and untidy values of texts with their rows, as fields of a sketch."""
    shapes = sorted(count_shapes(texts).items(), key=lambda item: (-item[1], item[0]))
    return {
        "shapes": tuple(shapes[:_MOST_SHAPES]),
        "looked_at": sum(rows for _, rows in texts),
        "untidy": sum(rows for text, rows in texts if is_untidy(text)),
    }
