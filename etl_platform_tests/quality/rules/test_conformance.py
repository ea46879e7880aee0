"""Every rule on generated batches, beside a naive reference: adding a rule is adding a line."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from etl_platform.core.names import TableName
from etl_platform.quality import RULES, Contract, audit
from etl_platform.quality import look as look_module
from etl_platform_tests.quality.rules.reference import NOW, OTHER, REFERENCE, Row, Rows

SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("n", pa.int64()),
        ("m", pa.int64()),
        ("x", pa.float64()),
        ("t", pa.string()),
        ("ts", pa.timestamp("us")),
    ]
)
TEXTS = {
    "email": [
        "a@b.de",
        "a.b+c@d-e.org",
        "@b.de",
        "a@b",
        "a..b@c.de",
        "a@-b.de",
        "ä@b.de",
        "a b@c.de",
    ],
    "url": [
        "http://a.de",
        "https://u:p@a.de:80/x?y=%20#z",
        "ftp://[::1]/x",
        "http://",
        "http:/a",
        "javascript:alert(1)",
        "http://a.de/ü",
        "http://a.de/%2",
        "http://a.de/x#y#z",
    ],
    "uuid": [
        "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "6BA7B810-9DAD-11D1-80B4-00C04FD430C8",
        "6ba7b8109dad11d180b400c04fd430c8",
        "x",
    ],
    "iso_date": [
        "2024-02-29",
        "2023-02-29",
        "1900-02-29",
        "2000-02-29",
        "2024-13-01",
        "2024-04-31",
        "24-1-1",
        "0000-01-01",
    ],
    "iso_datetime": [
        "2024-02-29T23:59:60Z",
        "2024-02-29 00:00:00.5+01:00",
        "2024-02-29T24:00:00Z",
        "2024-02-30T00:00:00Z",
        "2024-02-29T00:00:00",
        "2024-02-29T00:00",
    ],
    "phone": [
        "+491701234567",
        "+1 (202) 555-0143",
        "+0123456789",
        "+123456",
        "0170 1234567",
        "+1234567890123456",
    ],
    "ip": [
        "192.0.2.1",
        "256.0.0.1",
        "01.2.3.4",
        "::",
        "::1",
        "2001:db8::8:800:200c:417a",
        "1:2:3:4:5:6:7::",
        "::ffff:192.0.2.1",
        "1::2::3",
        "12345::",
        "fe80::1%eth0",
        "1:2:3:4:5:6:7",
    ],
    "json": [
        '{"a": [1, null]}',
        "1",
        '"x"',
        "",
        "{",
        "{'a': 1}",
        "[1,]",
        '{"a": 1 , }',
        "[1] // x",
        "-Infinity",
        '"NaN, // \\", ]"',
        "NaN",
        "01",
        '"\t"',
    ],
}
TEXTS["ipv4"] = TEXTS["ipv6"] = TEXTS["ip"]

words = st.sampled_from(["a", "b", "c", "d", "ab", "", "é", "a\n"])
numbers = st.one_of(st.none(), st.integers(-4, 6))
floats = st.one_of(
    st.none(), st.sampled_from([0.0, -0.5, 2.5, 7.25, math.nan, math.inf, -math.inf])
)
moments = st.one_of(
    st.none(), st.integers(-6, 6).map(lambda n: NOW.replace(tzinfo=None) + timedelta(hours=12 * n))
)


def batches(texts: st.SearchStrategy[str] = words) -> st.SearchStrategy[Rows]:
    row = st.tuples(numbers, numbers, floats, st.one_of(st.none(), texts), moments)
    return st.lists(row, max_size=24).map(
        lambda rows: [
            dict(zip(("id", "n", "m", "x", "t", "ts"), (i, *row), strict=True))
            for i, row in enumerate(rows)
        ]
    )


TIED: Rows = [
    {"id": i, "n": n, "m": m, "x": float(n or 0), "t": t, "ts": None}
    for i, (n, m, t) in enumerate(
        [
            (1, 1, "a"),
            (1, 1, "b"),
            (1, 2, "a"),
            (3, 2, "a"),
            (0, 3, None),
            (None, 4, "é"),
            (5, 0, "d"),
        ]
    )
]
"""Ties in values and in their order: always tried, whatever is generated."""


def negative(frame: pl.LazyFrame) -> pl.LazyFrame:
    return frame.filter(pl.col("n") < 0)


HERE = f"{__name__}:negative"
RULES_ON_N: list[Row] = [
    {"rule": "not_null", "column": "t"},
    {"rule": "unique", "columns": ["n"]},
    {"rule": "unique", "columns": ["n", "t"]},
    {"rule": "range", "column": "n", "min": -2, "max": 4},
    {"rule": "range", "column": "n", "min": -2, "include_min": False},
    {"rule": "range", "column": "x", "min": 0.0},
    {"rule": "set", "column": "t", "values": ["a", "é"]},
    {"rule": "set", "column": "n", "values": [1, 2]},
    {"rule": "not_in_set", "column": "t", "values": ["a", "é"]},
    {"rule": "not_in_set", "column": "n", "values": [-1, 0]},
    {"rule": "regex", "column": "t", "pattern": "a?b?"},
    {"rule": "length", "column": "t", "min": 1, "max": 1},
    {"rule": "finite", "column": "x"},
    {"rule": "null_share", "column": "n", "max": 0.2},
    {"rule": "distinct", "column": "n", "min": 3},
    {"rule": "distinct", "column": "x", "max": 4, "min_ratio": 0.5},
    {"rule": "monotonic", "column": "n", "order_by": "id"},
    {"rule": "monotonic", "column": "n", "order_by": "m", "strict": True},
    {"rule": "monotonic", "column": "n", "order_by": "ts", "direction": "decreasing", "per": ["t"]},
    {"rule": "expression", "expression": "n + 1 > m"},
    {"rule": "foreign_key", "column": "t", "references": "shop.other.k"},
    {"rule": "row_count", "min": 3, "max": 12},
    {"rule": "aggregate", "aggregate": "sum", "column": "n", "min": -3, "max": 9},
    {"rule": "aggregate", "aggregate": "avg", "column": "n", "min": 0, "max": 2},
    {"rule": "aggregate", "aggregate": "min", "column": "n", "min": -3},
    {"rule": "aggregate", "aggregate": "max", "column": "t", "max": "c"},
    {"rule": "aggregate", "aggregate": "median", "column": "n", "max": 2},
    {"rule": "aggregate", "aggregate": "stddev", "column": "n", "max": 3.1},
    {"rule": "aggregate", "aggregate": "variance", "column": "n", "min": 1.5},
    {"rule": "aggregate", "aggregate": "count", "column": "n", "min": 4},
    {"rule": "aggregate", "aggregate": "count_distinct", "column": "t", "min": 3},
    {"rule": "aggregate", "aggregate": "sum", "column": "n", "min": 0, "group_by": "t"},
    {"rule": "freshness", "column": "ts", "max_age": "1d"},
    {"rule": "reconcile", "aggregate": "sum", "column": "n", "against": "shop.other"},
    {"rule": "reconcile", "aggregate": "count", "against": "shop.other", "tolerance": 2},
    {
        "rule": "sql",
        "sql": "SELECT b.* FROM {table} b JOIN shop.other o ON o.k = b.t WHERE b.n > o.n",
    },
    {"rule": "python", "function": HERE},
]
FORMATS: list[Row] = [{"rule": "format", "column": "t", "format": name} for name in TEXTS]
CONDITIONAL: list[Row] = [
    {**rule, "where": "m > 0 OR t IS NULL"} for rule in RULES_ON_N if rule["rule"] != "sql"
]
BLAMELESS = {"distinct", "row_count", "freshness", "reconcile"}


def ident(rule: Row) -> str:
    return " ".join(str(value) for value in rule.values())


@pytest.fixture(params=["counted values", "row by row"])
def way(request, monkeypatch):
    """The ways in which values are judged: each distinct one, or every row of the scan."""
    if request.param != "counted values":
        monkeypatch.setattr(look_module, "_SMALL_ROWS", 0)
        monkeypatch.setattr(look_module, "_MAX_PER_ROW_GROUP", 0)
    return request.param


@pytest.fixture
def other(con):
    table = pa.Table.from_pylist(OTHER, pa.schema([("k", pa.string()), ("n", pa.int64())]))
    con.register("other_rows", table)
    con.execute("CREATE TABLE other AS FROM other_rows")
    return lambda name: "other" if name == TableName("shop", "other") else None


def judged(con, stage, other, rule: Row, rows: Rows, **options: Any):
    table = pa.Table.from_pylist(rows, SCHEMA)
    contract = Contract.parse({"rules": [rule]})
    return audit(
        con,
        stage(table, files=2, statistics=len(rows) % 2 == 0),
        contract,
        relation_of=other,
        now=NOW,
        **options,
    ).outcomes[0]


def same(found, expected: list[Row] | bool, rows: int) -> None:
    if isinstance(expected, bool):
        assert (found.status, found.failed_rows) == ("failed" if expected else "passed", 0)
        return
    assert found.failed_rows == len(expected), (expected, found)
    assert found.status == ("failed" if expected else "passed")
    assert found.checked_rows == rows
    assert len(found.sample) == min(len(expected), 10)
    assert {row["id"] for row in found.sample} <= {row["id"] for row in expected}


def test_every_kind_of_rule_has_a_reference_and_a_line():
    kinds = {kind.model_fields["rule"].default for kind in RULES} - {"custom", "dtype"}
    assert kinds == set(REFERENCE) == {rule["rule"] for rule in RULES_ON_N + FORMATS}


SUPPRESSED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@pytest.mark.parametrize("rule", RULES_ON_N, ids=ident)
def test_a_rule_finds_what_the_reference_finds(con, stage, other, way, rule):
    @settings(max_examples=4, deadline=None, suppress_health_check=SUPPRESSED)
    @given(batches())
    @example(TIED)
    def check(rows):
        same(judged(con, stage, other, rule, rows), REFERENCE[rule["rule"]](rule, rows), len(rows))

    check()


@pytest.mark.parametrize("rule", FORMATS, ids=ident)
def test_a_format_is_what_the_reference_says(con, stage, other, way, rule):
    rows = [
        {"id": i, "n": None, "m": None, "x": None, "t": text, "ts": None}
        for i, text in enumerate([*TEXTS[rule["format"]], None])
    ]
    bad = REFERENCE["format"](rule, rows)
    assert 0 < len(bad) < len(rows) - 1, "examples of both kinds"
    found = judged(con, stage, other, rule, rows)
    assert found.failed_rows == len(bad)
    texts = {row[4] for row in con.execute(found.sql).fetchall()}
    assert texts == {row["t"] for row in bad}


@pytest.mark.parametrize("rule", CONDITIONAL, ids=ident)
def test_a_condition_limits_the_rows_that_a_rule_is_about(con, stage, other, rule):
    bare = {key: value for key, value in rule.items() if key != "where"}

    @settings(max_examples=2, deadline=None, suppress_health_check=SUPPRESSED)
    @given(batches())
    @example(TIED)
    def check(rows):
        within = [row for row in rows if (row["m"] or 0) > 0 or row["t"] is None]
        found = judged(con, stage, other, rule, rows)
        same(found, REFERENCE[rule["rule"]](bare, within), len(within))

    check()


@pytest.mark.parametrize(
    "rule",
    [rule for rule in RULES_ON_N if rule["rule"] not in ("not_null", "null_share")],
    ids=ident,
)
@pytest.mark.parametrize("rows", [0, 5], ids=["empty", "nulls"])
def test_nothing_and_nulls_break_only_what_counts(con, stage, other, rule, rows):
    nulls = [{"id": i, "n": None, "m": None, "x": None, "t": None, "ts": None} for i in range(rows)]
    found = judged(con, stage, other, rule, nulls)
    same(found, REFERENCE[rule["rule"]](rule, nulls), rows)
    if rule["rule"] not in BLAMELESS and rule.get("aggregate") not in ("count", "count_distinct"):
        assert found.status == "passed"


def test_the_newest_value_counts_beside_the_rows_that_stay(con, stage, other):
    con.execute("CREATE TABLE kept AS SELECT TIMESTAMP '2026-03-01 10:00' AS ts")
    rule = {"rule": "freshness", "column": "ts", "max_age": "3h"}
    old = [dict.fromkeys(SCHEMA.names) | {"ts": datetime(2026, 2, 1)}]
    assert judged(con, stage, other, rule, old, existing="kept").status == "passed"
    found = judged(con, stage, other, rule, old)
    assert "the newest value is 2026-02-01 00:00:00, now is 2026-03-01 12:00:00" in found.reason


def test_a_sum_is_reconciled_with_the_rows_that_stay(con, stage, other):
    con.execute("CREATE TABLE kept AS SELECT 2 AS n")
    rule = {"rule": "reconcile", "aggregate": "sum", "column": "n", "against": "shop.other"}
    rows = [dict.fromkeys(SCHEMA.names) | {"n": 1}]
    assert judged(con, stage, other, rule, rows, existing="kept").status == "passed"
    assert "1 here, 3 in shop.other" in judged(con, stage, other, rule, rows).reason


@pytest.mark.parametrize(
    ("rows", "before", "passes"),
    [
        (10, None, True),
        (11, 10, True),
        (12, 10, False),
        (8, 10, True),
        (7, 10, False),
        (1, 0, False),
    ],
)
def test_the_number_of_rows_is_compared_with_the_batch_before(
    con, stage, other, rows, before, passes
):
    rule = {"rule": "row_count", "max_increase": 0.1, "max_decrease": 0.2}
    batch = [dict.fromkeys(SCHEMA.names) for _ in range(rows)]
    found = judged(con, stage, other, rule, batch, previous_rows=before)
    assert found.status == ("passed" if passes else "failed")
    assert passes or f"the batch before had {before}" in found.reason


@pytest.mark.parametrize(
    ("tolerance", "passes"),
    [
        ({}, False),
        ({"max_failures": 1}, False),
        ({"max_failures": 2}, True),
        ({"max_share": 0.19}, False),
        ({"max_share": 0.2}, True),
        ({"max_failures": 5, "max_share": 0.1}, False),
    ],
)
def test_a_tolerance_lets_some_bad_rows_by_and_quarantine_still_takes_them(
    con, stage, other, tolerance, passes
):
    rows = [dict.fromkeys(SCHEMA.names) | {"id": i, "n": i} for i in range(10)]
    rule = {"rule": "range", "column": "n", "max": 7, "action": "quarantine", **tolerance}
    staged = stage(pa.Table.from_pylist(rows, SCHEMA))
    found = audit(con, staged, Contract.parse({"rules": [rule]}), relation_of=other)
    (outcome,) = found.outcomes
    assert (outcome.status, outcome.failed_rows) == ("passed" if passes else "failed", 2)
    assert len(outcome.sample) == 2
    assert len(con.execute(found.rejected_sql).fetchall()) == 2
    assert passes == ("8 rows" not in outcome.sentence() and "2 tolerated" in outcome.sentence())
