"""Each detector alone: robust scores, scales, gaps, sums of changes, drift of distributions."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_platform.quality.anomalies.change_point import changes_now, cusum
from etl_platform.quality.anomalies.drift import (
    PSI_LARGE,
    PSI_MODERATE,
    categories,
    ks,
    ks_critical,
    psi,
    rebinned,
)
from etl_platform.quality.anomalies.gap import judge_gap
from etl_platform.quality.anomalies.robust import nan_median, robust_z, scale_of
from etl_platform.quality.anomalies.spread import LOG, PLAIN, ROOT, Stabiliser, stabiliser_of
from etl_platform_tests.quality.anomalies.labelled_series import DAY, HOUR, START

RNG = np.random.default_rng(7)


def test_a_tenth_of_wrong_values_hardly_moves_a_scale() -> None:
    values = RNG.normal(size=1000)
    values[:80] = 1e6
    assert scale_of(values, 0).sigma == pytest.approx(1, abs=0.4)
    assert robust_z(values, 5.0) == pytest.approx(5, abs=1.6)


def test_a_constant_series_has_the_scale_of_its_floor() -> None:
    assert robust_z(np.full(20, 1000.0), 1002.0) == pytest.approx(1)


@given(st.lists(st.lists(st.floats(-9, 9) | st.just(float("nan")), min_size=5, max_size=5)))
def test_medians_without_nan_are_those_of_numpy(rows: list[list[float]]) -> None:
    given = np.array(rows, dtype=np.float64).reshape(-1, 5)
    found = nan_median(given)
    for row, median in zip(given, found, strict=True):
        known = row[~np.isnan(row)]
        expected = np.median(known) if len(known) else np.nan
        assert median == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("scale", [PLAIN, ROOT, LOG], ids=lambda scale: scale.name)
def test_a_scale_is_undone(scale: Stabiliser) -> None:
    values = np.array([0.0, 1.0, 5.5, 1e6])
    assert scale.undo(scale.apply(values)) == pytest.approx(values)


def test_the_scale_is_chosen_by_how_spread_grows_with_level() -> None:
    level = np.repeat(np.geomspace(30, 30_000, 15), 14)
    noise = RNG.normal(size=210)
    assert stabiliser_of(level + noise).name == "plain"
    assert stabiliser_of(level + np.sqrt(level) * noise).name == "root"
    assert stabiliser_of(level * np.exp(0.1 * noise)).name == "log"
    assert stabiliser_of(noise).name == "plain"


def test_small_changes_add_up_and_are_told_once() -> None:
    scores = np.concatenate([RNG.normal(size=100), RNG.normal(size=60) + 1.5])
    told = [n for n in range(60, 160) if changes_now(scores[:n], 10, 28)]
    assert told
    assert 100 < told[0] < 125
    assert all(later - earlier >= 28 for earlier, later in pairwise(told))


def test_one_spike_is_no_change() -> None:
    sums, passed = cusum(np.array([0.0] * 60 + [1e9] + [0.0] * 5), limit=10)
    assert passed == []
    assert sums.max() == pytest.approx(2.5)


def test_a_missing_day_is_late_and_a_weekend_is_not_where_there_is_none() -> None:
    daily = START + DAY * np.arange(30)
    assert not judge_gap(daily, START + DAY * 30).late
    assert judge_gap(daily, START + DAY * 31).late
    working = daily[np.arange(30) % 7 < 5][:-2]  # the last one is a Friday
    friday = working[-1]
    assert (friday - START) / DAY % 7 == 4
    assert not judge_gap(working, friday + 3 * DAY).late
    assert judge_gap(working, friday + 4 * DAY).late


def test_a_missing_hour_is_late_once_there_is_history() -> None:
    hourly = START + HOUR * np.arange(14)
    assert judge_gap(hourly, hourly[-1] + 3 * HOUR).late
    assert not judge_gap(hourly[:13], hourly[12] + 30 * HOUR).late


def test_samples_of_one_population_have_no_drift_and_others_have() -> None:
    edges = np.linspace(-4, 4, 21)
    before = np.histogram(RNG.normal(size=5000), edges)[0]
    same = np.histogram(RNG.normal(size=5000), edges)[0]
    moved = np.histogram(RNG.normal(loc=0.7, size=5000), edges)[0]
    assert psi(before, same) < PSI_MODERATE / 4
    assert psi(before, moved) > PSI_LARGE
    limit = ks_critical(5000, 5000)
    assert ks(before, same) < limit < ks(before, moved)
    assert psi(before, before) == ks(before, before) == psi([0, 0], [1, 1]) == 0


def test_drift_is_the_same_in_both_directions() -> None:
    assert psi([10, 20, 70], [30, 30, 40]) == pytest.approx(psi([30, 30, 40], [10, 20, 70]))
    assert ks([10, 20, 70], [30, 30, 40]) == pytest.approx(0.3)


def test_histograms_over_other_bins_keep_their_rows() -> None:
    again = rebinned([0, 1, 2, 4], [10, 20, 40], onto=[0, 2, 3, 9])
    assert again == pytest.approx([30, 20, 20])


def test_frequent_values_are_compared_where_both_counted_them() -> None:
    old, new = categories({"a": 50, "b": 30}, 100, {"a": 40, "c": 9}, 100)
    assert old == pytest.approx([50, 50])
    assert new == pytest.approx([40, 60])
