"""Two profiles compared: what has changed is told, what chance does is not."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from etl_platform.quality import Profile
from etl_platform.quality.comparison import compare
from etl_platform.quality.distribution import distance
from etl_platform.quality.profiling import profile_staged

ROWS = 20_000


def frame(seed: int, **changed: object) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    columns: dict[str, object] = {
        "id": np.arange(ROWS) + seed * ROWS,
        "amount": random.lognormal(3, 1, ROWS),
        "hour": random.integers(0, 24, ROWS),
        "country": random.choice(["de", "fr", "it"], ROWS, p=[0.6, 0.3, 0.1]),
        "email": [f"user{n}@example.org" for n in random.integers(0, 5000, ROWS)],
        "day": [date(2024, 1, 1) + timedelta(days=int(d)) for d in random.integers(0, 60, ROWS)],
        "note": pl.Series([None if m < 0.05 else "x" for m in random.random(ROWS)], dtype=pl.Utf8),
        "paid": random.random(ROWS) < 0.9,
    }
    return pl.DataFrame(columns | changed)


@pytest.fixture
def profile(con, stage):
    def made(data: pl.DataFrame, level: str = "full") -> Profile:
        return profile_staged(con, stage(data.to_arrow(), files=2), level)

    return made


@pytest.mark.parametrize("level", ["full", "basic"])
def test_two_samples_of_one_population_are_the_same(profile, level):
    found = compare(profile(frame(1), level), profile(frame(2), level))
    told = {column.name: column.reasons for column in found.columns if column.verdict != "same"}
    assert told == {}
    assert found.verdict == "same"


def test_every_change_is_told_of_its_column_and_of_no_other(profile):
    random = np.random.default_rng(5)
    rows = {
        "id": np.repeat(np.arange(ROWS // 2), 2),
        "amount": random.lognormal(3.4, 1, ROWS),
        "hour": random.integers(8, 18, ROWS),
        "country": random.choice(["de", "fr", "es"], ROWS, p=[0.6, 0.3, 0.1]),
        "note": pl.Series([None] * (ROWS // 5) + ["x"] * (ROWS * 4 // 5)),
    }
    after = frame(2, **rows).with_columns(pl.col("paid").cast(pl.Int32), extra=pl.lit(1))
    found = {c.name: c for c in compare(profile(frame(1)), profile(after.drop("day"))).columns}
    assert {name: c.verdict for name, c in found.items()} == {
        "id": "drifted",
        "amount": "changed",
        "hour": "drifted",
        "country": "drifted",
        "email": "same",
        "note": "drifted",
        "paid": "retyped",
        "extra": "added",
        "day": "removed",
    }
    assert found["id"].reasons[0] == "values repeat, each row had one of its own"
    assert found["note"].reasons == ("nulls went from 5.0% to 20.0%",)
    assert found["paid"].reasons == ("type was bool, is int32",)
    assert list(found)[-1] == "day"


def test_distances_are_those_of_the_values_within_the_sketches_error(profile):
    random = np.random.default_rng(7)
    before, after = random.normal(0, 1, ROWS), random.normal(0.3, 1.2, ROWS)
    profiles = [profile(pl.DataFrame({"x": values})) for values in (before, after)]
    found = distance(*profiles, "x")
    error = 2 * profiles[0].column("x").quantile_error
    assert 0 < error < 0.02
    both = np.concatenate([before, after])
    upto = [np.searchsorted(np.sort(side), both, "right") / ROWS for side in (before, after)]
    assert found.ks == pytest.approx(float(np.abs(upto[0] - upto[1]).max()), abs=error + 0.01)
    edges = np.quantile(before, np.linspace(0, 1, 11))
    edges[[0, -1]] = -np.inf, np.inf
    a, b = (np.histogram(values, edges)[0] / ROWS for values in (before, after))
    assert found.psi == pytest.approx(float(((b - a) * np.log(b / a)).sum()), rel=0.15)


def test_a_constant_that_moves_is_seen(profile):
    still, moved = (profile(pl.DataFrame({"x": [value] * 100})) for value in (1, 2))
    assert distance(still, still, "x").psi == 0
    found = distance(still, moved, "x")
    assert found.ks == 1
    assert found.psi is not None
    assert found.psi > 1


def test_personal_data_are_compared_without_being_kept(profile):
    mails = [f"user{n % 20}@example.org" for n in range(ROWS)]
    others = [f"user{n % 20 + 20}@example.org" for n in range(ROWS)]
    found = distance(*(profile(pl.DataFrame({"m": m})) for m in (mails, others)), "m")
    assert found.basis == "values"
    assert found.psi is not None
    assert found.psi > 1


def test_empty_profiles_are_compared_without_a_verdict_on_values(profile):
    none = frame(1).head(0)
    assert compare(profile(none), profile(none)).verdict == "same"
    assert {c.verdict for c in compare(profile(frame(1)), profile(none)).columns} == {"same"}
