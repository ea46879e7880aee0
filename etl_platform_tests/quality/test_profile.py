from __future__ import annotations

import math
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl_platform.quality import Contract, Profile, audit
from etl_platform.quality import look as look_module

EMPTY = Contract()
HLL_FOUR_SIGMA = 0.14


def profile(con, staged) -> Profile:
    return audit(con, staged, EMPTY, relation_of=lambda _: None).profile


VALUES = st.one_of(st.none(), st.integers(-(10**17), 10**17), st.integers(0, 3))


@pytest.mark.parametrize("known", [True, False], ids=["statistics", "no statistics"])
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(VALUES, min_size=1, max_size=60),
    st.lists(st.floats() | st.none(), min_size=60, max_size=60),
)
def test_a_small_batch_is_profiled_exactly(con, stage, known, numbers, floats):
    floats = floats[: len(numbers)]
    table = pa.table(
        {"n": pa.array(numbers, pa.decimal128(30, 0)), "f": pa.array(floats, pa.float64())}
    )
    found = profile(con, stage(table, 2, statistics=known))
    present = [n for n in numbers if n is not None]
    n = found.column("n")
    assert (n.nulls, n.distinct) == (len(numbers) - len(present), len(set(present)))
    assert n.distinct_exact
    assert (n.min, n.max) == ((str(min(present)), str(max(present))) if present else (None, None))
    # Whole numbers are added as such: doubles would already lose digits of the values.
    assert n.mean == (
        pytest.approx(float(Fraction(sum(present), len(present))), rel=1e-12, abs=1e-6)
        if present
        else None
    )
    expected = sorted(Counter(present).items(), key=lambda item: (-item[1], item[0]))[:10]
    assert n.top == tuple((str(value), count) for value, count in expected)

    real = [f for f in floats if f is not None and not math.isnan(f)]
    f = found.column("f")
    assert f.nulls == floats.count(None)
    assert f.distinct == len(set(real)) + any(v is not None and math.isnan(v) for v in floats)
    if real and all(map(math.isfinite, real)):
        assert (f.min, f.max) == (min(real), max(real))


def test_a_large_batch_is_counted_where_values_are_few_and_estimated_elsewhere(con, stage):
    rows = 60_000
    table = pa.table(
        {
            "id": range(rows),
            "code": ["ABC"[i % 3] for i in range(rows)],
            "day": [date.fromordinal(735_000 + i % 400) for i in range(rows)],
            "price": pa.array(
                [Decimal(i * 7 % 50_021) / 100 for i in range(rows)], pa.decimal128(15, 2)
            ),
            "text": [f"row {i}" if i % 4 else "unknown" for i in range(rows)],
            "flag": [None if i % 5 == 0 else i % 5 == 1 for i in range(rows)],
        }
    )
    staged = stage(table, 3)
    assert look_module.columns_to_count(con, staged) == {"code", "day", "flag"}
    found = profile(con, staged)
    assert found.column("code").top == (("A", 20_000), ("B", 20_000), ("C", 20_000))
    assert found.column("day").distinct == 400
    assert (found.column("flag").nulls, found.column("flag").mean) == (12_000, 0.25)
    for name, exact in (
        ("id", rows),
        ("price", len(set(table["price"].to_pylist()))),
        ("text", 45_001),
    ):
        column = found.column(name)
        assert not column.distinct_exact
        assert column.distinct == pytest.approx(exact, rel=HLL_FOUR_SIGMA)
    assert found.column("text").top == (("unknown", 15_000),)
    assert found.column("id").mean == (rows - 1) / 2
    assert found.column("price").mean == pytest.approx(
        float(sum(table["price"].to_pylist())) / rows, rel=1e-9
    )
    assert (found.column("text").min, found.column("text").max) == ("row 1", "unknown")


def test_every_lake_type_has_a_profile(con, stage):
    when = datetime(2013, 1, 1, 5, tzinfo=UTC)
    table = pa.table(
        {
            "list": pa.array([[1], None], pa.list_(pa.int64())),
            "struct": pa.array([{"a": 1}, None], pa.struct({"a": pa.int64()})),
            "map": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
            "binary": [b"\x00\xff", None],
            "when": pa.array([when, None], pa.timestamp("us", "UTC")),
            "big": pa.array([2**60, None]),
            "inf": [math.inf, -math.inf],
            "nan": [math.nan, None],
        }
    )
    for known in (True, False):
        found = profile(con, stage(table, statistics=known))
        assert [c.nulls for c in found.columns] == [1, 1, 1, 1, 1, 1, 0, 1]
        assert all(
            found.column(name).min is None for name in ("list", "struct", "map", "binary", "nan")
        )
        assert found.column("list").distinct is None
        assert found.column("binary").distinct == 1
        assert found.column("when").max == "2013-01-01T05:00:00+00:00"
        assert found.column("big").min == str(2**60)
        assert (found.column("inf").min, found.column("inf").mean) == ("-inf", None)
        assert Profile.from_json(found.to_json()) == found


def test_a_batch_without_rows_has_a_profile(con, stage):
    schema = pa.schema([("a", pa.int64()), ("b", pa.list_(pa.string()))])
    found = profile(con, stage(schema.empty_table()))
    assert (found.rows, found.size_bytes) == (0, 0)
    assert [(c.name, c.nulls, c.distinct) for c in found.columns] == [("a", 0, 0), ("b", 0, None)]
    assert found.summary_markdown().startswith("0 rows, 2 columns, 0 B")


def test_a_thousand_columns_with_hostile_names_are_audited(con, stage):
    names = [f'c"{i}' if i % 2 else f"spalte {i} | ünïcode" for i in range(1_000)]
    table = pa.table({name: [i, None, i] for i, name in enumerate(names)})
    contract = Contract.parse(
        {
            "rules": [
                {"rule": "range", "column": name, "max": 997, "name": f"range_{i}"}
                for i, name in enumerate(names)
                if i % 10 == 8
            ]
        }
    )
    found = audit(con, stage(table), contract, relation_of=lambda _: None)
    assert [o.rule.name for o in found.blocking] == ["range_998"]
    assert found.blocking[0].failed_rows == 2
    assert len(found.profile.columns) == 1_000
    assert "and 950 more columns" in found.profile.summary_markdown()


def test_the_summary_is_a_table_whatever_the_values_hold(con, stage):
    table = pa.table({"a|b": ["x|y\n`z`" * 40, None, None, None], "n": [1.5, 2.5, None, None]})
    lines = profile(con, stage(table)).summary_markdown().splitlines()
    assert len(lines) == 6
    assert lines[4].startswith(r"| a\|b | string | ███▊ 75.0 % | 1 |")
    assert all(line.replace(r"\|", "").count("|") == 9 for line in lines[2:])
    assert len(lines[4]) < 250


def test_shortened_statistics_are_marked_or_replaced(con, stage, monkeypatch):
    from dataclasses import replace

    staged = stage(pa.table({"t": ["abc", "xyz"]}))
    (file,) = staged.files
    stats = replace(file.columns["t"], min="a", max="y", exact=False)
    staged = replace(staged, files=(replace(file, columns={"t": stats}),))
    column = profile(con, staged).column("t")
    assert (column.min, column.max, column.bounds_exact) == ("abc", "xyz", True)
    monkeypatch.setattr(look_module, "_SMALL_ROWS", 0)
    monkeypatch.setattr(look_module, "_MAX_PER_ROW_GROUP", 0)
    column = profile(con, staged).column("t")
    assert (column.min, column.max, column.bounds_exact) == ("a", "y", False)
