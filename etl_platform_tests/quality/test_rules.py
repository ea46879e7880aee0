from __future__ import annotations

import math
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from etl_platform.core.errors import ConfigError, UnknownName
from etl_platform.quality import Contract, audit
from etl_platform.quality import look as look_module

NAN = math.nan
UTC_US = pa.timestamp("us", "UTC")

# rule without column, type, values, the values that break it
CASES = [
    ({"rule": "not_null"}, pa.int64(), [1, None, 2, None], [None, None]),
    ({"rule": "not_null"}, pa.float64(), [1.0, NAN], []),
    ({"rule": "range", "min": 0, "max": 10}, pa.int64(), [-1, 0, 10, 11, None], [-1, 11]),
    ({"rule": "range", "min": 0.5, "max": 2.5}, pa.int8(), [0, 1, 2, 3], [0, 3]),
    ({"rule": "range", "max": 10**12}, pa.int8(), [127, None], []),
    ({"rule": "range", "min": 0, "include_min": False}, pa.int64(), [0, 1], [0]),
    ({"rule": "range", "min": 0.5, "include_min": False}, pa.int64(), [0, 1], [0]),
    ({"rule": "range", "max": 3, "include_max": False}, pa.int64(), [2, 3], [3]),
    ({"rule": "range", "min": 0}, pa.float64(), [-0.5, 0.0, NAN, math.inf, None], [-0.5, NAN]),
    ({"rule": "range", "max": 1}, pa.float64(), [NAN, 2.0, -math.inf], [NAN, 2.0]),
    ({"rule": "range", "max": 0.1}, pa.float32(), [0.1, 0.2], [0.2]),
    (
        {"rule": "range", "min": "0.10", "max": 0.105},
        pa.decimal128(15, 2),
        [Decimal("0.09"), Decimal("0.10"), Decimal("0.11"), None],
        [Decimal("0.09"), Decimal("0.11")],
    ),
    ({"rule": "range", "max": 10**30}, pa.decimal128(4, 2), [Decimal("99.99")], []),
    (
        {"rule": "range", "min": "2013-01-01", "max": date(2013, 12, 31)},
        pa.date32(),
        [date(2012, 12, 31), date(2013, 1, 1), None],
        [date(2012, 12, 31)],
    ),
    (
        {"rule": "range", "min": "2013-01-01", "max": "2013-01-02T03:04:05.000006"},
        pa.timestamp("us"),
        [datetime(2013, 1, 1), datetime(2013, 1, 2, 3, 4, 5, 6), datetime(2013, 1, 2, 3, 4, 5, 7)],
        [datetime(2013, 1, 2, 3, 4, 5, 7)],
    ),
    (
        {"rule": "range", "min": "2013-01-01T02:00:00+02:00", "max": "2013-01-01 01:00"},
        UTC_US,
        [datetime(2012, 12, 31, 23, 59, tzinfo=UTC), datetime(2013, 1, 1, 1, tzinfo=UTC)],
        [datetime(2012, 12, 31, 23, 59, tzinfo=UTC)],
    ),
    (
        {"rule": "range", "min": "b", "max": "y"},
        pa.string(),
        ["a", "b", "yz", "é"],
        ["a", "yz", "é"],
    ),
    ({"rule": "set", "values": ["A", "it's"]}, pa.string(), ["A", "it's", "B", None], ["B"]),
    ({"rule": "set", "values": [1, 2.0, 2.5, 300]}, pa.int8(), [1, 2, 3], [3]),
    ({"rule": "set", "values": [0.1]}, pa.float32(), [0.1, 0.2], [0.2]),
    ({"rule": "set", "values": [0.1, NAN]}, pa.float64(), [0.1, NAN, 0.2], [0.2]),
    (
        {"rule": "set", "values": [0.1, "0.25", "0.125"]},
        pa.decimal128(5, 2),
        [Decimal("0.10"), Decimal("0.25"), Decimal("0.12")],
        [Decimal("0.12")],
    ),
    ({"rule": "set", "values": [True]}, pa.bool_(), [True, False, None], [False]),
    ({"rule": "set", "values": ["2013-01-31"]}, pa.date32(), [date(2013, 1, 31)], []),
    (
        {"rule": "regex", "pattern": "N[0-9]+"},
        pa.string(),
        ["N1", "xN1", "N1x", "", None],
        ["xN1", "N1x", ""],
    ),
    ({"rule": "regex", "pattern": r"\d+|\w"}, pa.string(), ["12", "٣", "é", "a"], ["٣", "é"]),
    ({"rule": "regex", "pattern": "a.b"}, pa.string(), ["axb", "a\nb"], ["a\nb"]),
    ({"rule": "regex", "pattern": "a$"}, pa.string(), ["a", "a\n"], ["a\n"]),
    (
        {"rule": "length", "min": 2, "max": 3},
        pa.string(),
        ["é", "éé", "日本語", "日本語x", None],
        ["é", "日本語x"],
    ),
    ({"rule": "length", "min": 0}, pa.string(), ["", "a"], []),
    ({"rule": "length", "max": 0}, pa.string(), ["", "a"], ["a"]),
    ({"rule": "unique"}, pa.string(), ["a", "b", "a", None, None], ["a", "a"]),
    ({"rule": "unique"}, pa.float64(), [NAN, NAN, 1.0], [NAN, NAN]),
]
IDS = [f"{rule['rule']} {kind} {i}" for i, (rule, kind, _, _) in enumerate(CASES)]


@pytest.fixture(params=["counted values", "row by row", "no statistics"])
def way(request, monkeypatch):
    """The three ways in which a rule of a column is judged."""
    if request.param != "counted values":
        monkeypatch.setattr(look_module, "_SMALL_ROWS", 0)
        monkeypatch.setattr(look_module, "_MAX_PER_ROW_GROUP", 0)
    return request.param


@pytest.mark.parametrize(("rule", "kind", "values", "bad"), CASES, ids=IDS)
def test_a_rule_finds_exactly_the_rows_that_break_it(con, stage, way, rule, kind, values, bad):
    table = pa.table({"id": range(len(values)), "x": pa.array(values, kind)})
    contract = Contract.parse({"rules": [{**rule, "column": "x", "action": "quarantine"}]})
    staged = stage(table, files=2, statistics=way != "no statistics")
    found = audit(con, staged, contract, relation_of=lambda _: None)
    (outcome,) = found.outcomes
    assert outcome.failed_rows == len(bad)
    assert outcome.status == ("failed" if bad else "passed")
    assert len(outcome.sample) == len(bad)
    assert set(outcome.sample[0] if bad else ()) <= {"id", "x"}
    rows = con.execute(outcome.sql).fetchall()
    # As text, because NaN equals nothing.
    assert sorted(str(row[1]) for row in rows) == sorted(map(str, pa.array(bad, kind).to_pylist()))


@pytest.mark.parametrize(("rule", "kind", "values", "bad"), CASES, ids=IDS)
def test_a_rule_passes_on_nothing_and_on_nulls(con, stage, rule, kind, values, bad):
    contract = Contract.parse({"rules": [{**rule, "column": "x"}]})
    nothing = pa.table({"x": pa.array([], kind)})
    assert audit(con, stage(nothing), contract, relation_of=lambda _: None).blocking == ()
    nulls = pa.table({"x": pa.array([None] * 5, kind)})
    found = audit(con, stage(nulls), contract, relation_of=lambda _: None)
    assert found.outcomes[0].failed_rows == (5 if rule["rule"] == "not_null" else 0)


@pytest.mark.parametrize(
    ("dtype", "kind", "passes"),
    [
        ("int64", pa.int64(), True),
        ("bigint", pa.int32(), False),
        ("decimal(15,2)", pa.decimal128(15, 2), True),
        ("decimal(15,2)", pa.decimal128(15, 3), False),
        ("timestamptz", pa.timestamp("us", "UTC"), True),
        ("timestamp", pa.timestamp("us", "UTC"), False),
        ("list<string>", pa.list_(pa.string()), True),
        ("date", pa.date32(), True),
        ("binary", pa.string(), False),
    ],
)
@pytest.mark.parametrize("rows", [0, 3])
def test_dtype_is_what_pandera_says_of_the_staged_schema(con, stage, dtype, kind, passes, rows):
    table = pa.table({"x": pa.array([None] * rows, kind)})
    contract = Contract.parse({"rules": [{"rule": "dtype", "column": "x", "dtype": dtype}]})
    (outcome,) = audit(con, stage(table), contract, relation_of=lambda _: None).outcomes
    assert outcome.status == ("passed" if passes else "failed")
    assert outcome.failed_rows == (0 if passes else rows)


@pytest.mark.parametrize(
    ("bounds", "rows", "passes"),
    [({"min": 1}, 0, False), ({"min": 1, "max": 3}, 3, True), ({"max": 3}, 4, False)],
)
def test_row_count_fails_without_blaming_a_row(con, stage, bounds, rows, passes):
    contract = Contract.parse({"rules": [{"rule": "row_count", **bounds}]})
    found = audit(
        con,
        stage(pa.table({"x": pa.array(range(rows), pa.int64())})),
        contract,
        relation_of=lambda _: None,
    )
    (outcome,) = found.outcomes
    assert (outcome.status == "passed") is passes
    assert bool(found.blocking) is not passes
    assert outcome.failed_rows == 0
    assert outcome.sample == []
    assert passes or f"has {rows} rows" in outcome.sentence()


@pytest.mark.parametrize(
    ("rule", "kind", "message"),
    [
        ({"rule": "regex", "pattern": "a"}, pa.int64(), "rule regex is for columns of text"),
        ({"rule": "length", "max": 1}, pa.date32(), "rule length is for columns of text"),
        ({"rule": "range", "max": 1}, pa.bool_(), "does not fit column 'x' of type bool"),
        ({"rule": "range", "max": 1}, pa.list_(pa.int64()), "does not fit"),
        ({"rule": "set", "values": [1]}, pa.binary(), "does not fit"),
        ({"rule": "range", "max": "soon"}, pa.date32(), "'soon' is not a value of type date32"),
        ({"rule": "set", "values": ["a"]}, pa.int64(), "'a' is not a value of type int64"),
        ({"rule": "range", "min": 300}, pa.int8(), "no int8 lies on the allowed side of 300"),
        ({"rule": "range", "min": 5, "max": 2}, pa.int64(), "min 5 is greater than max 2"),
    ],
)
def test_a_rule_that_does_not_fit_the_type_is_refused(con, stage, rule, kind, message):
    contract = Contract.parse({"rules": [{**rule, "column": "x"}]})
    with pytest.raises(ConfigError, match=message):
        audit(con, stage(pa.table({"x": pa.array([], kind)})), contract, relation_of=lambda _: None)


def test_an_unknown_column_names_the_nearest_one(con, stage):
    contract = Contract.parse({"rules": [{"rule": "not_null", "column": "orgin"}]})
    with pytest.raises(UnknownName, match=r"rule not_null_orgin: unknown column 'orgin'") as error:
        audit(con, stage(pa.table({"origin": [1]})), contract, relation_of=lambda _: None)
    assert error.value.nearest == "origin"
