from __future__ import annotations

import math
from datetime import UTC, datetime

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl_platform.core.errors import PermanentError
from etl_platform.quality import Profile
from etl_platform_tests.quality.profiles.exact import assert_agrees

ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "whole": st.none() | st.integers(-(2**62), 2**62),
            "real": st.none() | st.floats(width=64),
            "money": st.none() | st.decimals(-(10**9), 10**9, places=2),
            "text": st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
            "when": st.none()
            | st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)),
            "day": st.none() | st.dates(),
            "flag": st.none() | st.booleans(),
        }
    ),
    max_size=12,
)
SCHEMA = pa.schema(
    {
        "whole": pa.int64(),
        "real": pa.float64(),
        "money": pa.decimal128(15, 2),
        "text": pa.string(),
        "when": pa.timestamp("us", "UTC"),
        "day": pa.date32(),
        "flag": pa.bool_(),
    }
)
QUICK = settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
MERGED_APART = ("mean", "std", "skewness", "kurtosis", "text")


def table(rows: list[dict[str, object]]) -> pa.Table:
    return pa.Table.from_pylist(rows, SCHEMA)


def exact_part(profile: Profile) -> list[dict[str, object]]:
    return [c.model_dump(exclude={*MERGED_APART}) for c in profile.columns]


@QUICK
@given(ROWS, ROWS)
def test_merging_two_profiles_is_profiling_the_rows_of_both(profiled, one, two):
    merged = Profile.merge([profiled(table(one)), profiled(table(two))])
    whole = profiled(table(one + two))
    assert exact_part(merged) == exact_part(whole)
    assert merged.rows == whole.rows
    for a, b in zip(merged.columns, whole.columns, strict=True):
        # Moments of values around 1e300 leave what doubles can hold in another order of adding.
        if a.mean is not None and abs(b.mean or 0) < 1e30 and (b.std or 0) < 1e30:
            assert a.mean == pytest.approx(b.mean, rel=1e-9, abs=1e-9 * (1 + (b.std or 0)))
            if b.std:
                assert a.std == pytest.approx(b.std, rel=1e-6)
        if a.text is not None and b.text is not None:
            assert a.text.max_length == b.text.max_length
            assert sorted(a.text.patterns, key=str)[:3] == sorted(b.text.patterns, key=str)[:3]


@QUICK
@given(ROWS, ROWS, ROWS)
def test_the_order_of_merging_changes_nothing_that_is_exact(profiled, one, two, three):
    a, b, c = profiled(table(one)), profiled(table(two)), profiled(table(three))
    left = Profile.merge([Profile.merge([a, b]), c])
    right = Profile.merge([a, Profile.merge([b, c])])
    assert exact_part(left) == exact_part(right) == exact_part(Profile.merge([c, b, a]))


@QUICK
@given(ROWS)
def test_a_profile_comes_back_from_its_file_unchanged(profiled, rows):
    found = profiled(table(rows))
    # As text, because NaN, which sums of huge numbers may be, equals nothing.
    assert Profile.from_bytes(found.to_bytes()).model_dump_json() == found.model_dump_json()
    assert Profile.from_json(found.to_json()) == found.model_copy(update={"sketch": None})
    assert exact_part(Profile.merge([found])) == exact_part(found)


def test_counted_and_sketched_parts_of_a_column_merge(profiled):
    few = pl.DataFrame({"n": [i % 50 for i in range(30_000)], "t": ["x"] * 30_000})
    many = pl.DataFrame({"n": list(range(30_000)), "t": [f"t{i}" for i in range(30_000)]})
    merged = Profile.merge([profiled(few.to_arrow()), profiled(many.to_arrow())])
    assert_agrees(merged, pl.concat([few, many]))
    assert not merged.column("n").distinct_exact
    value, rows = merged.column("t").top[0]
    assert value == "x"
    assert rows <= 30_000 <= rows + merged.column("t").top_error


def test_nothing_but_nulls_or_no_rows_at_all_merge_with_values(profiled):
    nothing = table([])
    nulls = table([dict.fromkeys(SCHEMA.names)] * 3)
    some = table([{"whole": 3, "real": math.inf, "text": "a", "flag": True}])
    merged = Profile.merge([profiled(nothing), profiled(nulls), profiled(some)])
    assert (merged.rows, merged.column("whole").nulls, merged.column("whole").min) == (4, 3, 3)
    assert (merged.column("real").infinite, merged.column("real").mean) == (1, None)
    assert merged.column("day").nulls == 4


def test_a_column_that_was_added_later_is_null_in_the_parts_before(profiled):
    before = pa.table({"a": [1, 2]})
    after = pa.table({"a": [3], "b": ["x"]})
    merged = Profile.merge([profiled(before), profiled(after)])
    assert (merged.column("b").nulls, merged.column("b").distinct) == (2, 1)


def test_parts_of_different_hashes_or_types_or_without_sketches_are_refused(profiled):
    found = profiled(pa.table({"a": [1, 2]}))
    assert found.sketch is not None
    other = found.sketch.model_copy(update={"hash_name": "another/1"})
    with pytest.raises(PermanentError, match="different hashes"):
        Profile.merge([found, found.model_copy(update={"sketch": other})])
    with pytest.raises(PermanentError, match="not one type"):
        Profile.merge([found, profiled(pa.table({"a": ["x"]}))])
    with pytest.raises(PermanentError, match="no sketches"):
        Profile.merge([Profile.from_json(found.to_json())])
    with pytest.raises(PermanentError, match="no profile"):
        Profile.merge([])
