"""Distances between versions, from the sketches of their profiles."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from etl_platform.core.errors import UnknownName
from etl_platform.quality import Profile
from etl_platform.quality.anomalies.config import Judging
from etl_platform.quality.anomalies.judging import History
from etl_platform.quality.anomalies.metrics import check_metric, metrics_of
from etl_platform.quality.anomalies.moved import judge_move, moves_of
from etl_platform.quality.profiling import profile_staged

ROWS = 20_000
DAY_S = 86_400.0


@pytest.fixture
def profiled(con, stage):
    """``profiled(seed, shift)``: normal amounts, three kinds, a key and an e-mail address."""

    def profile(seed: int, shift: float = 0.0, level: str = "full") -> Profile:
        rng = np.random.default_rng(seed)
        kinds = rng.choice(["a", "b", "c"], ROWS, p=[0.6 - shift / 2, 0.3, 0.1 + shift / 2])
        table = pa.table(
            {
                "amount": rng.normal(shift, 1.0, ROWS),
                "kind": kinds,
                "id": np.arange(ROWS) + seed * ROWS,
                "email": [f"user{n}@example.org" for n in range(ROWS)],
            }
        )
        return profile_staged(con, stage(table), level)

    return profile


def test_versions_of_one_population_do_not_move_and_others_do_by_what_theory_says(profiled):
    first, same, other = profiled(1), profiled(2), profiled(3, 0.5)
    still = {metric.key: metric.value for metric in moves_of(first, same)}
    moved = {metric.key: metric.value for metric in moves_of(first, other)}
    assert still["amount.psi"] < 0.01
    assert still["amount.ks"] < 0.02
    assert still["kind.psi"] < 0.01
    # Normal distributions half a standard deviation apart: 0.25, and 2 phi(0.25) - 1.
    assert moved["amount.psi"] == pytest.approx(0.25, abs=0.03)
    assert moved["amount.ks"] == pytest.approx(0.197, abs=0.02)
    assert moved["kind.psi"] > 0.25
    assert moved["id.psi"] > 0.25
    assert moved["id.ks"] == pytest.approx(1.0, abs=0.02)
    assert "email.psi" not in moved  # no value is frequent, and of personal data none is kept


def test_profiles_without_sketches_say_nothing_of_moves(profiled):
    basic = profiled(1, level="basic")
    assert moves_of(basic, profiled(1)) == ()
    assert moves_of(profiled(1), Profile.from_json(profiled(1).to_json())) == ()


def _history(values: list[float]) -> History:
    return History(np.arange(len(values)) * DAY_S, np.array(values))


def _verdict(values: list[float], value: float, **config: str):
    judging = Judging(**config)  # pyright: ignore[reportArgumentType] # a literal
    return judge_move("amount.psi", _history(values), len(values) * DAY_S, value, judging)


QUIET = [0.001, 0.0, 0.002, 0.001] * 6


def test_a_move_is_told_only_after_enough_history_and_beyond_the_rule_of_thumb():
    assert _verdict(QUIET[:13], 5.0).status == "learning"
    assert _verdict(QUIET, 0.05).status == "normal"  # unusual here, but too small to matter
    assert _verdict(QUIET, 0.2).status == "normal"
    assert _verdict(QUIET, 0.2, sensitivity="high").status == "anomaly"
    found = _verdict(QUIET, 0.4)
    assert (found.status, found.band_low, found.band_high) == ("anomaly", 0.0, 0.25)
    assert found.reason == (
        "the values moved by 0.4 since the version before: more than 0.25, the rule of thumb"
    )


def test_a_column_that_always_moves_is_judged_by_its_own_history():
    moving = [4.0, 4.2, 3.9, 4.1, 4.05] * 6
    assert _verdict(moving, 4.3).status == "normal"
    assert _verdict(moving, 0.0).status == "normal"
    found = _verdict(moving, 9.0)
    assert found.status == "anomaly"
    assert "what is usual for this column" in found.reason


def test_spread_quantiles_and_score_are_followed(profiled):
    found = {metric.key: metric.value for metric in metrics_of(profiled(1))}
    assert found["amount.std"] == pytest.approx(1.0, abs=0.03)
    assert found["amount.p50"] == pytest.approx(0.0, abs=0.03)
    assert found["amount.p95"] == pytest.approx(1.645, abs=0.06)
    assert found["score"] == pytest.approx(100.0, abs=0.1)
    assert "kind.p50" not in found
    for key in found:
        assert check_metric(key) == key


@pytest.mark.parametrize("key", ["row", "amount.median", "psi", "amount.rows"])
def test_a_metric_that_nothing_measures_is_refused(key):
    with pytest.raises(UnknownName, match=key):
        check_metric(key)
