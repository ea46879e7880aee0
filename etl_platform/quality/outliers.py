"""Rows that lie far from the others of their table: by quartiles, robust z, or isolation forest.

Every method flags rows; none says that they are wrong. Nulls and NaN are never outliers of a
column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from etl_platform.core.errors import ConfigError, UnknownName

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

Method = Literal["iqr", "robust_z", "isolation_forest"]
METHODS: tuple[Method, ...] = ("iqr", "robust_z", "isolation_forest")

FENCE = 3.0
"""Interquartile ranges beyond the quartiles: Tukey's outer fences (1977), "far out"."""
Z_LIMIT = 6.0
"""Robust standard deviations from the median."""
FOREST_LIMIT = 0.65
"""Anomaly score of an isolation forest; 0.5 is a usual row, 1 the most isolated."""
_FOREST_ROWS = 200_000
_SEED = 20130101


@dataclass(frozen=True, slots=True)
class Outliers:
    """Outlying rows, the furthest first.

    ``rows`` are rows of the frame with the columns ``_outlier_column`` (None for a forest: the
    combination is unusual) and ``_outlier_score`` (distance in the method's own unit). ``found``
    is how many there are, of ``checked`` rows; ``rows`` may hold fewer.
    """

    method: Method
    checked: int
    found: int
    rows: pl.DataFrame


def outliers(
    frame: pl.LazyFrame | pl.DataFrame,
    method: Method = "iqr",
    columns: Sequence[str] | None = None,
    limit: int = 100,
) -> Outliers:
    """Find rows that lie far from the others.

    Args:
        frame: a frame, or a table of the lake (``Platform.scan``): streamed, except for a forest,
            which takes at most 200,000 rows at even steps.
        method: ``iqr``: more than three interquartile ranges beyond a quartile; where those are
            equal nothing is flagged. ``robust_z``: more than six scaled MAD from the median
            (Iglewicz and Hoaglin 1993). ``isolation_forest``: Liu, Ting and Zhou, ICDM 2008; needs
            scikit-learn (``pip install etl_platform[outliers]``).
        columns: numeric columns; all of them by default.
        limit: rows returned.

    Raises:
        UnknownName: there is no such numeric column.
        ConfigError: an unknown method, or scikit-learn is not installed.
    """
    lazy = frame.lazy()
    names = _numeric(lazy, columns)
    if method == "iqr":
        return _beyond(lazy, method, names, _fences(lazy, names), limit)
    if method == "robust_z":
        return _beyond(lazy, method, names, _centres(lazy, names), limit)
    if method == "isolation_forest":
        return _isolated(lazy, names, limit)
    raise ConfigError(f"method is {method!r}", valid=", ".join(METHODS))


@dataclass(frozen=True, slots=True)
class _Bounds:
    """Distances are taken from ``low`` downward and ``high`` upward, in ``unit``."""

    low: float
    high: float
    unit: float
    limit: float


def _numeric(lazy: pl.LazyFrame, columns: Sequence[str] | None) -> list[str]:
    known = [name for name, dtype in lazy.collect_schema().items() if dtype.is_numeric()]
    for name in columns or ():
        if name not in known:
            raise UnknownName("numeric column", name, known)
    return list(columns) if columns is not None else known


def _clean(name: str) -> pl.Expr:
    import polars as pl

    number = pl.col(name).cast(pl.Float64)
    return pl.when(number.is_finite()).then(number)


def _fences(lazy: pl.LazyFrame, names: Sequence[str]) -> dict[str, _Bounds]:
    import polars as pl

    found = lazy.select(
        pl.concat_list(_clean(n).quantile(q, "linear") for q in (0.25, 0.75)).alias(n)
        for n in names
    ).collect(engine="streaming")
    bounds = {name: found[name][0].to_list() for name in names} if names else {}
    return {
        name: _Bounds(low, high, high - low, FENCE)
        for name, (low, high) in bounds.items()
        if low is not None and high > low
    }


def _centres(lazy: pl.LazyFrame, names: Sequence[str]) -> dict[str, _Bounds]:
    if not names:
        return {}
    middles = lazy.select(_clean(n).median().alias(n) for n in names).collect(engine="streaming")
    known = {n: middles[n][0] for n in names if middles[n][0] is not None}
    if not known:
        return {}
    spreads = lazy.select(
        (_clean(n) - middle).abs().median().alias(n) for n, middle in known.items()
    ).collect(engine="streaming")
    return {
        name: _Bounds(middle, middle, spread / 0.6745, Z_LIMIT)
        for name, middle in known.items()
        if (spread := spreads[name][0])
    }


def _beyond(
    lazy: pl.LazyFrame,
    method: Method,
    names: Sequence[str],
    bounds: dict[str, _Bounds],
    limit: int,
) -> Outliers:
    import polars as pl

    checked = lazy.select(pl.len()).collect(engine="streaming").item()
    scores = {
        name: pl.max_horizontal(_clean(name) - b.high, b.low - _clean(name)) / b.unit / b.limit
        for name, b in bounds.items()
    }
    if not scores:
        return Outliers(method, checked, 0, _empty(lazy))
    worst = pl.max_horizontal(*scores.values())
    column = pl.coalesce(
        *(pl.when(score == worst).then(pl.lit(name)) for name, score in scores.items())
    )
    unit = pl.coalesce(
        *(
            pl.when(score == worst).then(score * bounds[name].limit)
            for name, score in scores.items()
        )
    )
    far = lazy.with_columns(
        column.alias("_outlier_column"), unit.alias("_outlier_score"), worst.alias("_rank")
    ).filter(pl.col("_rank") > 1)
    found = far.select(pl.len()).collect(engine="streaming").item()
    rows = far.top_k(limit, by="_rank").drop("_rank").collect(engine="streaming")
    return Outliers(method, checked, found, rows.sort("_outlier_score", descending=True))


def _isolated(lazy: pl.LazyFrame, names: Sequence[str], limit: int) -> Outliers:
    import polars as pl

    try:
        from sklearn.ensemble import IsolationForest
    except ImportError as error:
        raise ConfigError(
            "isolation_forest needs scikit-learn, which is not installed",
            valid="iqr, robust_z",
            fix="pip install etl_platform[outliers]",
        ) from error
    total = lazy.select(pl.len()).collect(engine="streaming").item()
    frame = lazy.gather_every(max(1, -(-total // _FOREST_ROWS))).collect(engine="streaming")
    if not names or frame.height < 2:
        return Outliers("isolation_forest", frame.height, 0, _empty(lazy))
    # A missing value lies where most values lie: it does not isolate its row.
    numbers = frame.select(_clean(n).fill_null(_clean(n).median()).fill_null(0) for n in names)
    forest = IsolationForest(n_estimators=100, random_state=_SEED)
    values = numbers.to_numpy()
    scores: NDArray[np.float64] = -forest.fit(values).score_samples(values)
    far = frame.with_columns(
        pl.lit(None, pl.String).alias("_outlier_column"), pl.Series("_outlier_score", scores)
    ).filter(pl.col("_outlier_score") > FOREST_LIMIT)
    rows = far.sort("_outlier_score", descending=True).head(limit)
    return Outliers("isolation_forest", frame.height, far.height, rows)


def _empty(lazy: pl.LazyFrame) -> pl.DataFrame:
    import polars as pl

    return (
        lazy.head(0)
        .with_columns(
            pl.lit(None, pl.String).alias("_outlier_column"),
            pl.lit(None, pl.Float64).alias("_outlier_score"),
        )
        .collect()
    )
