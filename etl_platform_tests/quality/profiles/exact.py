"""Statistics of a frame worked out exactly by Polars and NumPy, and how a profile must agree."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from etl_platform.quality import ColumnProfile, Profile


def assert_agrees(profile: Profile, frame: pl.DataFrame) -> None:
    """Every number of a full profile is exact, or within the error that it states."""
    assert profile.rows == len(frame)
    assert [c.name for c in profile.columns] == frame.columns
    for column in profile.columns:
        values = frame[column.name]
        assert column.nulls == values.null_count(), column.name
        present = values.drop_nulls()
        _distinct(column, present)
        _top(column, present)
        if values.dtype.is_numeric():
            _numbers(column, present.cast(pl.Float64).to_numpy())
        if values.dtype == pl.String:
            _texts(column, present)
        if values.dtype.is_temporal():
            _days(column, present)
    _correlations(profile, frame)


def _distinct(column: ColumnProfile, present: pl.Series) -> None:
    exact = present.n_unique()
    assert column.distinct is not None
    if column.distinct_exact:
        assert column.distinct == exact, column.name
        assert column.distinct_error == 0
    else:
        assert column.distinct == pytest.approx(exact, rel=column.distinct_error)


def _top(column: ColumnProfile, present: pl.Series) -> None:
    counts = present.value_counts(sort=True, name="count").head(1_000)
    exact = {_text(value): rows for value, rows in counts.iter_rows()}
    least = counts["count"].min() or 0
    for value, rows in column.top:
        if value in ("nan", "NaN"):
            continue
        # Among thousands that are equally rare, the exact counts may not list this one.
        assert rows <= exact.get(_text(value), least) <= rows + column.top_error
    assert column.unlisted_rows is not None
    listed = {_text(value) for value, _ in column.top}
    most = max((rows for value, rows in exact.items() if value not in listed), default=0)
    assert most <= column.unlisted_rows, column.name


def _text(value: object) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _numbers(column: ColumnProfile, values: np.ndarray) -> None:
    finite = values[np.isfinite(values)]
    assert column.nan == np.isnan(values).sum()
    assert column.infinite == np.isinf(values).sum()
    assert (column.zero, column.negative) == ((values == 0).sum(), (values < 0).sum())
    if not len(finite):
        assert column.quantiles == ()
        return
    assert column.quantiles[0][1] == pytest.approx(finite.min())
    assert column.quantiles[-1][1] == pytest.approx(finite.max())
    _quantiles(column, np.sort(finite))
    if column.infinite:
        assert column.mean is column.std is None
        return
    assert (float(str(column.min)), float(str(column.max))) == (finite.min(), finite.max())
    assert column.mean == pytest.approx(finite.mean(), rel=1e-9, abs=1e-9)
    if len(finite) < 2 or finite.std() < 1e-9 * (1 + abs(finite.mean())):
        return
    standard = (finite - finite.mean()) / finite.std()
    assert column.std == pytest.approx(finite.std(ddof=1), rel=1e-7)
    assert column.skewness == pytest.approx((standard**3).mean(), rel=1e-6, abs=1e-6)
    assert column.kurtosis == pytest.approx((standard**4).mean() - 3, rel=1e-6, abs=1e-6)


def _quantiles(column: ColumnProfile, ordered: np.ndarray) -> None:
    slack = column.quantile_error + 1e-9
    for rank, value in column.quantiles:
        number = float(str(value))
        below = np.searchsorted(ordered, number, side="left") / len(ordered)
        upto = np.searchsorted(ordered, number, side="right") / len(ordered)
        assert below - slack <= rank <= upto + slack, (column.name, rank, value)
    histogram = column.histogram
    if histogram is None or len(histogram.rows) == 1:
        return
    edges = [float(str(edge)) for edge in histogram.edges]
    exact = np.histogram(ordered, edges)[0] / len(ordered)
    found = np.array(histogram.rows) / len(ordered)
    assert np.abs(exact - found).max() <= histogram.error + 1e-9, column.name
    assert sum(histogram.rows) == pytest.approx(len(ordered), abs=len(edges))


def _texts(column: ColumnProfile, present: pl.Series) -> None:
    assert column.text is not None
    lengths = present.str.len_chars()
    assert (column.text.min_length, column.text.max_length) == (lengths.min(), lengths.max())
    mean = lengths.mean()
    assert column.text.mean_length == (None if mean is None else pytest.approx(mean))


def _days(column: ColumnProfile, present: pl.Series) -> None:
    days = present.cast(pl.Date).unique().sort()
    if not len(days):
        assert column.time is None
        return
    assert column.time is not None
    assert column.time.days == len(days)
    span = (days[-1] - days[0]).days + 1
    assert column.time.missing_days == span - len(days)


def _correlations(profile: Profile, frame: pl.DataFrame) -> None:
    for found in profile.correlations:
        pair = frame.select(pl.col(found.left, found.right).cast(pl.Float64)).drop_nulls()
        data = pair.to_numpy()
        data = data[np.isfinite(data).all(axis=1)]
        assert found.rows == len(data)
        assert found.r == pytest.approx(np.corrcoef(data.T)[0, 1], abs=1e-6)
