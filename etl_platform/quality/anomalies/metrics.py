"""What is measured of a profile, and followed over time."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from etl_platform.quality.profile import ColumnProfile, Profile

GAP = "gap"
"""The seconds since the point before; taken from the times of the points."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One number that was measured of a table (``column`` is None) or of a column.

    ``key`` is ``rows`` or ``amount.null_share``: the last part is the metric's name.
    """

    column: str | None
    name: str
    value: float

    @property
    def key(self) -> str:
        return self.name if self.column is None else f"{self.column}.{self.name}"


def metrics_of(profile: Profile) -> tuple[Metric, ...]:
    """Every finite metric of a profile; reads nothing else.

    Of the table: rows, size_bytes. Of each column: null_share (0 to 1), distinct; of numbers mean,
    min and max; top_share, the share of rows that have the most frequent value.
    """
    found = [
        Metric(None, "rows", float(profile.rows)),
        Metric(None, "size_bytes", float(profile.size_bytes)),
    ]
    if profile.rows:
        found += [
            Metric(column.name, name, float(value))
            for column in profile.columns
            for name, value in _column(column, profile.rows)
            if value is not None and math.isfinite(value)
        ]
    return tuple(found)


def to_json(metrics: tuple[Metric, ...]) -> str:
    """A JSON object from key to value."""
    return json.dumps({metric.key: metric.value for metric in metrics}, separators=(",", ":"))


def from_json(text: str) -> Mapping[str, float]:
    """Values by key, as :func:`to_json` wrote them."""
    return json.loads(text)


def _column(column: ColumnProfile, rows: int) -> Iterator[tuple[str, float | None]]:
    yield "null_share", column.nulls / rows
    yield "distinct", column.distinct
    yield "mean", column.mean
    for name, value in (("min", column.min), ("max", column.max)):
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield name, value
    if column.top:
        yield "top_share", column.top[0][1] / rows
