from __future__ import annotations

from decimal import Decimal
from importlib.resources import files

import polars as pl
import pytest

from etl_platform.quality import Profile
from etl_platform_tests.quality.profiles.exact import assert_agrees

_TPCH_ROWS = 150_000


@pytest.fixture(scope="module")
def flights() -> pl.DataFrame:
    return pl.read_parquet(str(files("etl_platform.demo") / "data" / "flights.parquet"))


@pytest.fixture(scope="module")
def lineitem() -> pl.DataFrame:
    """Rows as TPC-H makes them: many distinct keys, prices and comments, few of all else."""
    i = pl.int_range(_TPCH_ROWS)
    mixed = (i * 2_654_435_761) % 4_294_967_296
    return pl.select(
        l_orderkey=i // 4 * 8,
        l_partkey=mixed % 200_000 + 1,
        l_linenumber=(i % 4 + 1).cast(pl.Int32),
        l_quantity=(mixed % 50 + 1).cast(pl.Decimal(15, 2)),
        l_extendedprice=((mixed % 90_000).cast(pl.Decimal(15, 0)) * Decimal("0.01")).cast(
            pl.Decimal(15, 2)
        ),
        l_shipdate=pl.date(1992, 1, 2) + pl.duration(days=mixed % 2_500),
        l_commit=pl.datetime(1992, 1, 1) + pl.duration(seconds=mixed % 70_000 * 3_000),
        l_returnflag=(mixed % 3).replace_strict({0: "A", 1: "N", 2: "R"}),
        l_comment=pl.when(i % 10 == 0).then(pl.lit("none")).otherwise(
            pl.lit("ship é ") + mixed.cast(pl.String)
        ),
    )  # fmt: skip


def test_every_statistic_of_flights_is_right_within_its_error(flights, profiled):
    found = profiled(flights.to_arrow(), 3)
    assert_agrees(found, flights)
    assert found.level == "full"
    assert found.column("dep_delay").distinct_exact
    assert found.column("air_time").nulls == 9_430
    assert found.column("time_hour").time is not None
    assert found.column("time_hour").time.days == 366  # in UTC
    strongest = found.correlations[0]
    assert {strongest.left, strongest.right} <= {
        "air_time", "distance", "hour", "sched_dep_time", "sched_arr_time", "dep_time",
    }  # fmt: skip


def test_every_statistic_of_sketched_columns_is_right_within_its_error(lineitem, profiled):
    found = profiled(lineitem.to_arrow(), 2)
    assert_agrees(found, lineitem)
    estimated = {c.name for c in found.columns if not c.distinct_exact}
    assert estimated == {"l_orderkey", "l_partkey", "l_extendedprice", "l_commit", "l_comment"}
    assert found.column("l_comment").top[0] == ("none", 15_000)
    assert 0 < found.column("l_partkey").quantile_error < 0.01
    assert found.keys[0].columns == ("l_orderkey", "l_linenumber")
    assert found.keys[0].evidence == "sampled"


def test_twelve_months_merged_are_the_year_without_reading_a_file(flights, profiled):
    months = [flights.filter(pl.col("month") == m) for m in range(1, 13)]
    kept = [profiled(month.to_arrow()).to_bytes() for month in months]
    merged = Profile.merge([Profile.from_bytes(data) for data in kept])
    assert_agrees(merged, flights)
    whole = profiled(flights.to_arrow())
    counted = [c for c in merged.columns if c.distinct_exact]
    assert len(counted) >= 15
    for column in counted:
        other = whole.column(column.name)
        assert column.distinct == other.distinct
        if not column.quantile_error:
            assert column.quantiles == other.quantiles
        if not column.top_error:
            assert column.top == other.top
    for profile in (whole, merged):
        assert profile.sketch is not None
        assert max(len(c.model_dump_json()) for c in profile.sketch.columns) <= 64 * 1024


def test_merged_sketches_keep_their_errors(lineitem, profiled):
    parts = [lineitem.slice(i * 50_000, 50_000) for i in range(3)]
    profiles = [profiled(part.to_arrow()) for part in parts]
    assert_agrees(Profile.merge(profiles), lineitem)
    left = Profile.merge([Profile.merge(profiles[:2]), profiles[2]])
    right = Profile.merge([profiles[0], Profile.merge(profiles[1:])])
    assert_agrees(left, lineitem)
    for a, b in zip(left.columns, right.columns, strict=True):
        assert (a.distinct, a.nulls, a.min, a.max) == (b.distinct, b.nulls, b.min, b.max)
    assert left.sketch is not None
    assert max(len(c.model_dump_json()) for c in left.sketch.columns) <= 64 * 1024
