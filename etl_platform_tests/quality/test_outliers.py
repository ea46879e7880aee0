"""Rows far from the others are found, whatever else the columns hold."""

from __future__ import annotations

import sys

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_platform.core.errors import ConfigError, UnknownName
from etl_platform.quality.outliers import FENCE, METHODS, Method, outliers

RNG = np.random.default_rng(3)
BY_COLUMN: tuple[Method, ...] = ("iqr", "robust_z")


@pytest.fixture
def frame() -> pl.DataFrame:
    amount = RNG.normal(100, 10, 2_000)
    amount[[5, 700]] = [1_000, -5_000]
    return pl.DataFrame(
        {
            "id": range(2_000),
            "amount": amount,
            "text": ["x"] * 2_000,
            "mostly_zero": [0.0] * 1_990 + [1.0] * 10,
            "empty": pl.Series([None] * 2_000, dtype=pl.Float64),
        }
    )


@pytest.mark.parametrize("method", BY_COLUMN)
def test_the_furthest_rows_come_first_with_their_column(
    frame: pl.DataFrame, method: Method
) -> None:
    found = outliers(frame, method)
    assert (found.checked, found.found) == (2_000, 2)
    assert found.rows["id"].to_list() == [700, 5]
    assert set(found.rows["_outlier_column"]) == {"amount"}
    assert outliers(frame, method, limit=1).rows["id"].to_list() == [700]
    assert outliers(frame, method, columns=["id"]).found == 0


@pytest.mark.parametrize("method", BY_COLUMN)
def test_nulls_nan_and_infinities_are_no_outliers(method: Method) -> None:
    values = [None, float("nan"), float("inf"), *RNG.normal(size=50).tolist(), 1e9]
    found = outliers(pl.DataFrame({"x": values}), method)
    assert found.rows["x"].to_list() == [1e9]


@pytest.mark.parametrize("method", BY_COLUMN)
@pytest.mark.parametrize("empty", [pl.DataFrame({"x": []}, {"x": pl.Int64}), pl.DataFrame()])
def test_an_empty_table_has_none(empty: pl.DataFrame, method: Method) -> None:
    found = outliers(empty, method)
    assert (found.checked, found.found, found.rows.height) == (0, 0, 0)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=60))
def test_fences_are_those_of_a_naive_implementation(values: list[int]) -> None:
    low, high = np.quantile(values, [0.25, 0.75])
    reach = FENCE * (high - low)
    expected = [v for v in values if high > low and not low - reach <= v <= high + reach]
    found = outliers(pl.DataFrame({"x": values}))
    assert sorted(found.rows["x"].to_list()) == sorted(expected)


def test_what_is_not_there_is_told(frame: pl.DataFrame) -> None:
    with pytest.raises(UnknownName):
        outliers(frame, columns=["amuont"])
    with pytest.raises(UnknownName):
        outliers(frame, columns=["text"])
    with pytest.raises(ConfigError):
        outliers(frame, "guess")  # pyright: ignore[reportArgumentType] # what a user may write


def test_without_scikit_learn_the_forest_says_what_to_install(
    frame: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    with pytest.raises(ConfigError, match="pip install"):
        outliers(frame, METHODS[2])


def test_a_forest_finds_unusual_combinations() -> None:
    x = RNG.normal(size=1_000)
    frame = pl.DataFrame({"x": [*x, 8.0], "y": [*(x + 0.1 * RNG.normal(size=1_000)), -8.0]})
    found = outliers(frame, "isolation_forest")
    assert (8.0, -8.0) in [row[:2] for row in found.rows.head(3).rows()]
    assert found.found < 30
