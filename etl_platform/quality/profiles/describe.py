"""From a column's statistics to what its profile says."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from etl_platform.quality.profile import (
    ColumnProfile,
    Histogram,
    NestedProfile,
    Pattern,
    TextProfile,
    TimeProfile,
)
from etl_platform.quality.profiles.column import Column
from etl_platform.quality.profiles.distinct import DISTINCT_ERROR
from etl_platform.quality.profiles.sketch import ColumnSketch, Family
from etl_platform.quality.values import JsonValue, json_safe

if TYPE_CHECKING:
    from collections.abc import Callable

    from etl_platform.quality.profiles.quantiles import Ranked

RANKS = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
_BINS = 20
_TOP = 10
_PATTERNS = 10
_GAPS = 5
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def describe(column: Column) -> ColumnProfile:
    """The profile of one column; reads no data."""
    fields = column.fields
    found: dict[str, Any] = {
        "name": fields.name,
        "dtype": fields.dtype,
        "nulls": fields.nulls,
        "min": fields.low,
        "max": fields.high,
        "bounds_exact": fields.bounds_exact,
        "pii": fields.pii,
        "nested": _nested(fields),
    }
    found |= _distinct(column) | _numbers(column) | _top(column)
    ranked = column.ranked()
    if ranked is not None:
        found |= _ranked(ranked, fields)
    if fields.family in (Family.TEXT, Family.BINARY) and fields.lengths is not None:
        found["text"] = TextProfile(
            min_length=fields.shortest,
            mean_length=fields.lengths.mean if fields.lengths.n else None,
            max_length=fields.longest,
            patterns=tuple(Pattern(shape=s, rows=n) for s, n in fields.shapes[:_PATTERNS]),
            looked_at=fields.looked_at,
            sampled=fields.looked_at < fields.present,
            untidy=fields.untidy,
        )
    if fields.days is not None and fields.days.complete and fields.days.runs:
        found["time"] = _time(fields)
    return ColumnProfile(**found)


def _distinct(column: Column) -> dict[str, Any]:
    if column.counts is not None:
        return {"distinct": len(column.counts.values), "distinct_exact": True}
    if column.distinct is None:
        return {}
    exact = column.distinct.exact
    return {
        "distinct": min(column.distinct.estimate(), column.fields.present),
        "distinct_exact": exact,
        "distinct_error": 0.0 if exact else DISTINCT_ERROR,
    }


def _numbers(column: Column) -> dict[str, Any]:
    fields, moments = column.fields, column.fields.moments
    if fields.family is Family.BOOLEAN and moments is not None:
        return {"mean": moments.mean if moments.n else None}
    if not fields.family.is_number or moments is None:
        return {}
    found: dict[str, Any] = {
        "nan": fields.nan,
        "infinite": fields.infinite,
        "zero": fields.zero,
        "negative": fields.negative,
    }
    if moments.n and not fields.infinite:
        exact = column.counts.mean() if column.counts is not None else None
        found |= {
            "mean": moments.mean if exact is None else exact,
            "std": moments.std,
            "skewness": moments.skewness,
            "kurtosis": moments.kurtosis,
        }
    return found


def _top(column: Column) -> dict[str, Any]:
    if column.counts is not None:
        most = column.counts.most_frequent(_TOP)
        return {
            "top": tuple((json_safe(value), count) for value, count in most),
            "unlisted_rows": column.counts.nth_most(_TOP + 1),
        }
    frequent = column.fields.frequent
    if frequent is None:
        return {}
    # A value that was seen once in one part and never elsewhere is not a frequent one.
    shown = [v for v in frequent.values if v.rows > 1][:_TOP]
    keys = {v.key for v in shown}
    rest = [v.rows + v.error for v in frequent.values if v.key not in keys]
    return {
        "top": tuple((v.value, v.rows) for v in shown),
        "top_error": max((v.error for v in shown), default=0),
        "unlisted_rows": max([frequent.unlisted, *rest]),
    }


def _ranked(ranked: Ranked, fields: ColumnSketch) -> dict[str, Any]:
    import numpy as np

    shown = _renderer(fields)
    values = ranked.quantiles(RANKS)
    low, high = values[0], values[-1]
    found: dict[str, Any] = {
        "quantiles": tuple((rank, shown(v)) for rank, v in zip(RANKS, values, strict=True)),
        "quantile_error": ranked.rank_error,
    }
    # Halved, because the distance between the ends of the doubles is not a double.
    edges = np.linspace(low / 2, high / 2, _BINS + 1) * 2
    if high > low and bool((np.diff(edges) > 0).all()):
        edges[0], edges[-1] = low, high
        found["histogram"] = Histogram(
            edges=tuple(shown(float(edge)) for edge in edges),
            rows=tuple(ranked.histogram(edges)),
            error=ranked.histogram_error,
        )
    elif high == low:
        found["histogram"] = Histogram(edges=(shown(low), shown(high)), rows=(ranked.n,))
    return found


def _renderer(fields: ColumnSketch) -> Callable[[float], JsonValue]:
    family = fields.family
    if family is Family.DATE:
        return lambda x: _iso(lambda: (date(1970, 1, 1) + timedelta(days=round(x))).isoformat(), x)
    if family is Family.TIMESTAMP:
        zone = "UTC" in fields.dtype or "tz" in fields.dtype

        def moment(x: float) -> JsonValue:
            def text() -> str:
                found = _EPOCH + timedelta(microseconds=round(x))
                return (found if zone else found.replace(tzinfo=None)).isoformat()

            return _iso(text, x)

        return moment
    if family is Family.INTEGER:
        return lambda x: json_safe(int(x) if x == int(x) else x)
    return json_safe


def _iso(text: Callable[[], str], number: float) -> JsonValue:
    try:
        return text()
    except OverflowError:  # years beyond 9999, which Python cannot hold
        return number


def _time(fields: ColumnSketch) -> TimeProfile:
    assert fields.days is not None
    gaps = fields.days.gaps()
    longest = sorted(gaps, key=lambda gap: (gap[0] - gap[1], gap[0]))[:_GAPS]
    day = _renderer(fields.model_copy(update={"family": Family.DATE}))
    return TimeProfile(
        days=fields.days.present,
        missing_days=sum(last - first + 1 for first, last in gaps),
        gaps=tuple((str(day(first)), str(day(last))) for first, last in longest),
    )


def _nested(fields: ColumnSketch) -> NestedProfile | None:
    nested = fields.nested
    if nested is None:
        return None
    lists = nested.shortest is not None and fields.present > 0
    return NestedProfile(
        min_length=nested.shortest,
        mean_length=nested.elements / fields.present if lists else None,
        max_length=nested.longest,
        empty=nested.empty,
        fields=tuple((name, fields.rows - rows) for name, rows in nested.fields),
    )
