"""What is measured of a profile, and followed over time."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl_platform.core.errors import UnknownName

if TYPE_CHECKING:
    from etl_platform.quality.profile import ColumnProfile, Profile

GAP = "gap"
"""The seconds since the point before; taken from the times of the points."""

_QUANTILES = {0.05: "p05", 0.25: "p25", 0.5: "p50", 0.75: "p75", 0.95: "p95"}
TABLE_METRICS = ("rows", "size_bytes", "score", GAP)
COLUMN_METRICS = (
    *("null_share", "distinct", "mean", "std", "min", "max"),
    *_QUANTILES.values(),
    *("top_share", "psi", "ks"),
)


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

    Of the table: rows, size_bytes, and score, the quality score (0 to 100). Of each column:
    null_share (0 to 1), distinct; of numbers mean, std, min, max and the quantiles p05, p25, p50,
    p75 and p95; top_share, the share of rows that have the most frequent value.
    """
    found = [
        Metric(None, "rows", float(profile.rows)),
        Metric(None, "size_bytes", float(profile.size_bytes)),
    ]
    if profile.score is not None:
        found.append(Metric(None, "score", profile.score.total))
    if profile.rows:
        found += [
            Metric(column.name, name, float(value))
            for column in profile.columns
            for name, value in _column(column, profile.rows)
            if value is not None and math.isfinite(value)
        ]
    return tuple(found)


def check_metric(key: str) -> str:
    """A metric's key as it was given.

    Raises:
        UnknownName: nothing of that name is measured.
    """
    column, _, name = key.rpartition(".")
    known = COLUMN_METRICS if column else TABLE_METRICS
    if name not in known:
        valid = [*TABLE_METRICS, *(f"{column or 'column'}.{metric}" for metric in COLUMN_METRICS)]
        raise UnknownName("metric", key, valid)
    return key


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
    yield "std", column.std
    for name, value in (("min", column.min), ("max", column.max)):
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield name, value
    for rank, value in column.quantiles:
        name = _QUANTILES.get(rank)
        if name is not None and isinstance(value, int | float):
            yield name, value
    if column.top:
        yield "top_share", column.top[0][1] / rows
