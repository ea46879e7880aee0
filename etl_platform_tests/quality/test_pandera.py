from __future__ import annotations

import math
from datetime import date

import pandera.polars as pandera
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pandera.polars import Check, Column, DataFrameSchema

from etl_platform.core.errors import ConfigError, PermanentError
from etl_platform.core.types import lake_schema
from etl_platform.quality import Contract, audit
from etl_platform.quality import look as look_module
from etl_platform.quality.confirmation import EnginesDisagree
from etl_platform.quality.patterns import PatternError, compile_pattern, to_polars
from etl_platform.quality.rules import RangeRule

NOBODY = lambda _: None  # noqa: E731


class Flights(pandera.DataFrameModel):
    flight: int = pandera.Field(ge=1)
    origin: str = pandera.Field(isin=["EWR", "JFK"], nullable=True)
    tailnum: str = pandera.Field(str_matches="^N", str_length={"min_value": 2, "max_value": 6})
    delay: float = pandera.Field(ge=-10, nullable=True)
    day: date = pandera.Field(
        in_range={"min_value": date(2013, 1, 1), "max_value": date(2013, 2, 1)}
    )

    @pandera.check("flight")
    def even(cls, data):  # noqa: N805
        return data.lazyframe.select(pl.col(data.key) % 2 == 0)

    @pandera.dataframe_check
    def late_means_origin(cls, data):  # noqa: N805
        return data.lazyframe.select(pl.col("origin").is_not_null() | (pl.col("delay") < 0))

    class Config:
        unique = ["flight", "day"]  # noqa: RUF012


def test_a_model_becomes_rules_and_python_only_for_what_has_no_sql():
    contract = Contract.from_pandera(Flights)
    kinds = {rule.name: rule.kind for rule in contract.rules}
    assert kinds == {
        "dtype_flight": "dtype",
        "not_null_flight": "not_null",
        "range_flight": "range",
        "custom_flight_even": "custom",
        "dtype_origin": "dtype",
        "set_origin": "set",
        "dtype_tailnum": "dtype",
        "not_null_tailnum": "not_null",
        "regex_tailnum": "regex",
        "length_tailnum": "length",
        "dtype_delay": "dtype",
        "custom_delay_greater_than_or_equal_to": "custom",
        "dtype_day": "dtype",
        "not_null_day": "not_null",
        "range_day": "range",
        "unique_flight_day": "unique",
        "custom_late_means_origin": "custom",
    }


def test_the_audit_finds_what_pandera_finds_on_the_whole_frame(con, stage):
    table = pa.table(
        {
            "flight": pa.array([1, 2, 2, 0, None, 8], pa.int64()),
            "origin": ["EWR", "LGA", "JFK", None, None, "JFK"],
            "tailnum": ["N1", "X1", "N", None, "N1234567", "N22"],
            "delay": [0.0, -11.0, math.nan, None, 5.0, -1.0],
            "day": [date(2013, 1, 1)] * 5 + [date(2014, 1, 1)],
        }
    )
    found = audit(con, stage(table), Contract.from_pandera(Flights), relation_of=NOBODY)
    with pytest.raises(pandera.errors.SchemaErrors) as error:
        Flights.validate(pl.DataFrame(table), lazy=True)
    cases = error.value.failure_cases
    by_check = dict(
        cases.group_by("column", "check")
        .len()
        .select(pl.concat_str("column", pl.lit(" "), "check", ignore_nulls=True), "len")
        .iter_rows()
    )
    ours = {o.rule.name: o.failed_rows for o in found.outcomes if o.status == "failed"}
    assert ours == {
        "not_null_flight": by_check["flight not_nullable"],
        "range_flight": by_check["flight greater_than_or_equal_to(1)"],
        "custom_flight_even": by_check["flight even"],
        "set_origin": by_check["origin isin(['EWR', 'JFK'])"],
        "not_null_tailnum": by_check["tailnum not_nullable"],
        "regex_tailnum": by_check["tailnum str_matches('^N')"],
        "length_tailnum": by_check["tailnum str_length(2, 6)"],
        "custom_delay_greater_than_or_equal_to": by_check["delay greater_than_or_equal_to(-10)"],
        "range_day": 1,
        "custom_late_means_origin": 1,
        "unique_flight_day": 2,
    }
    (row_check,) = [o for o in found.outcomes if o.rule.name == "custom_late_means_origin"]
    assert row_check.sample[0]["tailnum"] == "N1234567"


CONTRACT = Contract.parse(
    {
        "rules": [
            {"rule": "dtype", "column": "n", "dtype": "int64"},
            {"rule": "range", "column": "n", "min": -3, "max": 3, "include_max": False},
            {"rule": "range", "column": "f", "min": -1.5},
            {"rule": "set", "column": "t", "values": ["a", "b", "é"]},
            {"rule": "regex", "column": "t", "pattern": r"[\w.]{1,2}", "action": "warn"},
            {"rule": "length", "column": "t", "min": 1, "max": 2},
            {"rule": "not_null", "column": "t"},
            {"rule": "unique", "columns": ["n", "t"], "action": "quarantine"},
            {"rule": "row_count", "max": 1000},
        ]
    }
)
ROWS = st.lists(
    st.tuples(
        st.one_of(st.none(), st.integers(-5, 5)),
        st.one_of(st.none(), st.floats(width=32), st.just(math.nan)),
        st.one_of(st.none(), st.sampled_from(["a", "b", "é", "", ".", "ab", "日本", "a\nb", "٣"])),
    ),
    min_size=1,
    max_size=30,
)


def frame_of(data) -> pa.Table:
    return pa.table(
        {
            "n": pa.array([row[0] for row in data], pa.int64()),
            "f": pa.array([row[1] for row in data], pa.float64()),
            "t": pa.array([row[2] for row in data], pa.string()),
        }
    )


@pytest.mark.parametrize("small", [0, 8_192])
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(ROWS)
def test_the_audit_equals_the_contracts_pandera_schema_and_plain_python(con, stage, small, data):
    table = frame_of(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(look_module, "_SMALL_ROWS", small)
        patch.setattr(look_module, "_MAX_PER_ROW_GROUP", small)
        found = audit(con, stage(table), CONTRACT, relation_of=NOBODY)
    ours = {o.rule.name: o.failed_rows for o in found.outcomes}

    word = set("abcdefghijklmnopqrstuvwxyz0123456789_.")
    keys = [(n, t) for n, _, t in data if n is not None and t is not None]
    texts = [t for _, _, t in data if t is not None]
    assert ours == {
        "dtype_n": 0,
        "range_n": sum(n is not None and not -3 <= n < 3 for n, _, _ in data),
        "range_f": sum(f is not None and not f >= -1.5 for _, f, _ in data),
        "set_t": sum(t not in ("a", "b", "é") for t in texts),
        "regex_t": sum(not (1 <= len(t) <= 2 and set(t) <= word) for t in texts),
        "length_t": sum(not 1 <= len(t) <= 2 for t in texts),
        "not_null_t": len(data) - len(texts),
        "unique_n_t": sum(keys.count(key) > 1 for key in keys),
        "row_count": 0,
    }

    schema = CONTRACT.to_pandera(lake_schema(table.schema))
    refused = dict.fromkeys(ours, 0)
    for name, column in schema.columns.items():
        for check in column.checks:
            result = check(pl.DataFrame(table).lazy(), name)
            refused[check.title] = int(result.check_output.collect().to_series().not_().sum())
    for check in schema.checks:
        result = check(pl.DataFrame(table).lazy())
        refused[check.title] = int(result.check_output.collect().to_series().not_().sum())
    refused["not_null_t"] = table["t"].null_count if not schema.columns["t"].nullable else 0
    assert refused == ours


def test_a_contract_survives_pandera():
    again = Contract.from_pandera(
        CONTRACT.to_pandera(pa.schema({"n": pa.int64(), "f": pa.float64(), "t": pa.string()}))
    )
    ours = {(r.name, r.kind, r.action, r.columns) for r in CONTRACT.rules}
    assert {(r.name, r.kind, r.action, r.columns) for r in again.rules} == ours
    (bounds,) = [r for r in again.rules if isinstance(r, RangeRule) and r.column == "n"]
    assert (bounds.min, bounds.max, bounds.include_max) == (-3, 3, False)


@pytest.mark.parametrize(
    "schema",
    [
        DataFrameSchema({"a": Column(int, coerce=True)}),
        DataFrameSchema({"a": Column(int)}, strict=True),
        DataFrameSchema({"a": Column(int, required=False)}),
    ],
)
def test_a_schema_that_changes_data_is_refused(schema):
    with pytest.raises(ConfigError, match="never changes it"):
        Contract.from_pandera(schema)


def check_contract(check: Check) -> Contract:
    return Contract.from_pandera(DataFrameSchema({"a": Column(checks=check, nullable=True)}))


def test_python_checks_see_values_batches_or_the_whole_column(con, stage):
    rows = 150_000
    staged = stage(pa.table({"a": range(rows)}), files=2)
    by_element = check_contract(Check(lambda v: v not in (7, 140_000), element_wise=True))
    (outcome,) = audit(con, staged, by_element, relation_of=NOBODY).outcomes
    assert [row["a"] for row in outcome.sample] == [7, 140_000]
    whole = check_contract(
        Check(lambda d: d.lazyframe.select(pl.col(d.key) <= pl.col(d.key).max() - 3))
    )
    (outcome,) = audit(con, staged, whole, relation_of=NOBODY).outcomes
    assert outcome.failed_rows == 3
    one = check_contract(Check(lambda d: d.lazyframe.select(pl.col(d.key).sum() < 5)))
    (outcome,) = audit(con, staged, one, relation_of=NOBODY).outcomes
    assert (outcome.status, outcome.failed_rows) == ("failed", rows)


def test_a_python_check_that_raises_says_which(con, stage):
    broken = check_contract(Check(lambda _: 1 / 0, name="bad_check"))
    with pytest.raises(PermanentError, match="'bad_check' raised ZeroDivisionError"):
        audit(con, stage(pa.table({"a": [1]})), broken, relation_of=NOBODY)


@pytest.mark.parametrize("small", [0, 8_192])
def test_engines_that_disagree_are_an_error_and_never_green(con, stage, monkeypatch, small):
    monkeypatch.setattr(look_module, "_SMALL_ROWS", small)
    monkeypatch.setattr(look_module, "_MAX_PER_ROW_GROUP", small)
    monkeypatch.setattr(RangeRule, "check", lambda _, kind: Check.le(100))
    contract = Contract.parse({"rules": [{"rule": "range", "column": "a", "max": 2}]})
    with pytest.raises(EnginesDisagree, match="range_a"):
        audit(con, stage(pa.table({"a": [1, 2, 3]})), contract, relation_of=NOBODY)


PATTERNS = [
    r"\d+", r"\D", r"\w*", r"[\w\-]+", r"[^\d]", r"[\W]", r"\s+", r"a\b.*", r"[[:alpha:]]+",
    "[a[b]+",
    r"[]a]+", "[a&&b]+", "[~a]", "a{2}", "a{,2}", "{a}", "a{1,}", r"\Qa.b\E", r"(?i)k+", r"\pL+",
    r"\x41", r"\x{e9}", "^a$", "(?m)^a$", "a|b", "(?s).*", ".*", r"\.", r"[\]]", "[[:^digit:]]+",
]  # fmt: skip
TEXTS = st.text(st.sampled_from("aAbkK\u212a09٣é.[]{}&~- \n\t,_"), max_size=5)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(pattern=st.sampled_from(PATTERNS), text=TEXTS)
def test_a_pattern_means_the_same_to_duckdb_and_polars(con, pattern, text):
    compile_pattern(pattern)
    ours = con.execute("SELECT regexp_full_match(?, ?)", [text, pattern]).fetchall()[0][0]
    theirs = pl.Series([text]).str.contains(f"^(?:{to_polars(pattern)})$").item()
    assert ours == theirs


def test_every_pattern_of_the_list_matches_something_and_others_are_refused():
    with pytest.raises(PatternError, match="difference"):
        compile_pattern("[a--b]")
    assert to_polars(r"\d{2}[\w.]") == "[0-9]{2}[0-9A-Za-z_.]"
