"""Contracts that mean harm, or are merely odd: refused or bounded, with a clear error."""

from __future__ import annotations

import os
import time

import pandera.polars as pandera
import pyarrow as pa
import pytest

from etl_platform.core.errors import ConfigError, PermanentError, UnknownName
from etl_platform.quality import Contract, audit
from etl_platform.quality.contract import MAX_RULES

NOBODY = lambda _: None  # noqa: E731


def contract(**rule) -> Contract:
    return Contract.parse({"rules": [rule]})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("n in (SELECT 1)", "SUBQUERY may not be used"),
        ("exists (SELECT 1 FROM read_csv('/etc/passwd'))", "exists() may not be used"),
        ("n = (SELECT 1); DROP TABLE x", "2 statements"),
        ("read_text('/etc/passwd') = t", "function read_text() may not be used"),
        ("getenv('HOME') = t", "function getenv() may not be used"),
        ("current_setting('memory_limit') = t", "function current_setting() may not be used"),
        ("__import__('os').system('true') = 1", "may not be used"),
        ("n > now()", "function now() may not be used"),
        ("random() < n", "every scan has to find the same rows"),
        ("repeat(t, 1000000000) = t", "function repeat() may not be used"),
        ("sum(n) > 1", "function sum() may not be used"),
        ("row_number() OVER () > n", "WINDOW may not be used"),
        ("COLUMNS(*) > 1", "may not be used"),
        ("other.n > 1", "has a dot"),
        ("1 = 1", "no column is read"),
        ("", "nothing but space"),
        ("n >", "cannot be read as SQL"),
        ("n = '", "cannot be read as SQL"),
        ("NOT " * 500 + "b", "nested deeper than 40"),
        ("(" * 400 + "b" + ")" * 400, "nested deeper than 40"),
        ("n IN (" + ", ".join(map(str, range(1_000))) + ")", "at most 1,000 are read"),
        ("t = '" + "x" * 20_000 + "'", "20,006 characters, at most 10,000"),
        ("t = '\ud800'", "half of a surrogate pair"),
        ("n = ?", "PLACEHOLDER may not be used"),
        ("n /* */ > 1 -- \n ; COPY x TO 'y'", "2 statements"),
    ],
)
@pytest.mark.parametrize("key", ["expression", "where"])
def test_a_condition_is_confined_to_its_own_row(key, text, message):
    rule = {"rule": "expression", "expression": text}
    if key == "where":
        rule = {"rule": "not_null", "column": "n", "where": text}
    with pytest.raises(ConfigError) as error:
        contract(**rule)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT * FROM read_csv('/etc/passwd')", "read_csv"),
        ("SELECT * FROM '/etc/passwd'", "write {table} for the batch"),
        ('SELECT * FROM "/tmp/x.csv"', "write {table} for the batch"),
        ('WITH "/tmp/x.csv" AS (SELECT 1) SELECT * FROM "/tmp/x.csv"', "a plain name is needed"),
        ("SELECT * FROM pg_catalog.pg_class('x')", "pg_class() may not be used"),
        ("DROP TABLE x", "DROP may not be used"),
        ("INSERT INTO {table} VALUES (1)", "is no SELECT"),
        ("ATTACH 'x' AS y", "is no SELECT"),
        ("COPY {table} TO '/tmp/x'", "is no SELECT"),
        ("SELECT getenv('HOME') FROM {table}", "function getenv() may not be used"),
        ("SELECT 1", "no table is read"),
        ("SELECT * FROM {table}; SELECT 1", "2 statements"),
        ("SELECT * FROM a.b.c", "is not a table"),
        ("WITH x AS (DELETE FROM y RETURNING *) SELECT * FROM x", "DELETE may not be used"),
        ("SELECT * FROM {table}, range(1000000000)", "may not be used"),
    ],
)
def test_a_query_of_bad_rows_reads_tables_of_the_lake_and_nothing_else(sql, message):
    with pytest.raises(ConfigError) as error:
        contract(rule="sql", sql=sql)
    assert message in str(error.value) or "is no SELECT" in str(error.value)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"rule": "expression", "expression": "n > tt"}, "did you mean 't'"),
        ({"rule": "not_null", "column": "n", "where": "nn > 1"}, "did you mean 'n'"),
        ({"rule": "expression", "expression": "n + 1"}, "is of type BIGINT"),
        ({"rule": "expression", "expression": "n > date '2020-01-01'"}, "does not fit the table"),
        ({"rule": "expression", "expression": "regexp_matches(t, '(a{900}){900}')"}, "repetition"),
        ({"rule": "not_null", "column": "n", "where": "t LIKE 1"}, "does not fit the table"),
        ({"rule": "aggregate", "aggregate": "sum", "column": "t", "min": 1}, "sum of column 't'"),
        ({"rule": "aggregate", "aggregate": "sum", "column": "n", "min": 10**40}, "38 digits"),
        ({"rule": "freshness", "column": "n", "max_age": "1d"}, "dates and timestamps"),
        ({"rule": "monotonic", "column": "n", "order_by": "x"}, "unknown column 'x'"),
        ({"rule": "sql", "sql": "SELECT x FROM {table}"}, 'Referenced column "x" not found'),
    ],
)
def test_a_contract_that_does_not_fit_its_table_says_where(con, stage, rule, message):
    staged = stage(pa.table({"n": [1, 2], "t": ["a", "b"]}))
    with pytest.raises((ConfigError, UnknownName)) as error:
        audit(con, staged, contract(**rule), relation_of=NOBODY)
    assert message in str(error.value)


def test_too_many_rules_are_refused_at_once():
    rules = [{"rule": "not_null", "column": "n", "name": f"r{i}"} for i in range(10_000)]
    with pytest.raises(ConfigError, match="10,000 rules, at most 2,000 are judged"):
        Contract.parse({"rules": rules})


def test_as_many_rules_as_there_may_be_are_one_scan(con, stage):
    rules = [
        {"rule": "expression", "expression": f"n < {i} OR t IS NOT NULL", "name": f"r{i}"}
        for i in range(MAX_RULES)
    ]
    staged = stage(pa.table({"n": [1, 2], "t": ["a", "b"]}))
    found = audit(con, staged, Contract.parse({"rules": rules}), relation_of=NOBODY)
    assert {outcome.status for outcome in found.outcomes} == {"passed"}
    assert len(found.outcomes) == MAX_RULES


def test_a_huge_set_belongs_in_a_table():
    with pytest.raises(ConfigError, match="100,000 values, at most 10,000 are read"):
        contract(rule="set", column="n", values=list(range(100_000)))


def test_a_pattern_that_backtracks_elsewhere_takes_linear_time_here(con, stage):
    staged = stage(pa.table({"t": ["a" * 5_000 + "!"] * 50}))
    started = time.process_time()
    rule = {"rule": "regex", "column": "t", "pattern": "(a+)+"}
    assert audit(con, staged, contract(**rule), relation_of=NOBODY).outcomes[0].failed_rows == 50
    assert time.process_time() - started < 20, "exponential time would take for ever"


@pytest.mark.parametrize(
    "name", ['a"b', "sp ace", "日本", "select", "it's", "a\\b", "x;--", "{table}", "%s", "a.b", "A"]
)
def test_odd_column_names_are_only_names(con, stage, name):
    quoted = '"' + name.replace('"', '""') + '"'
    rules = [
        {"rule": "expression", "expression": f"{quoted} > 1", "name": "row"},
        {"rule": "not_null", "column": name, "where": f"{quoted} IS NULL", "name": "null"},
        {"rule": "monotonic", "column": name, "order_by": "id", "name": "order"},
        {"rule": "aggregate", "aggregate": "sum", "column": name, "max": 1, "name": "sum"},
        {"rule": "distinct", "column": name, "max": 1, "name": "distinct"},
    ]
    staged = stage(pa.table({"id": [1, 2, 3], name: [2, 1, None]}))
    found = audit(con, staged, Contract.parse({"rules": rules}), relation_of=NOBODY)
    assert [outcome.failed_rows for outcome in found.outcomes] == [1, 1, 1, 0, 0]
    assert {outcome.status for outcome in found.outcomes} == {"failed"}


def test_a_value_that_breaks_a_rules_own_sql_names_the_contract(con, stage):
    staged = stage(pa.table({"t": ["1", "x"]}))
    cast = contract(rule="expression", expression="CAST(t AS INTEGER) > 0")
    with pytest.raises(PermanentError, match="TRY_CAST gives NULL where CAST fails") as error:
        audit(con, staged, cast, relation_of=NOBODY)
    assert "expression_t" in str(error.value)


class Coerced(pandera.DataFrameModel):
    n: int = pandera.Field(ge=1, coerce=True)


class Plain(pandera.DataFrameModel):
    n: int = pandera.Field(ge=1)


def test_a_pandera_model_is_named_in_yaml_beside_other_rules(con, stage):
    found = Contract.parse(
        {
            "pandera": f"{__name__}:Plain",
            "action": "quarantine",
            "rules": [{"rule": "row_count", "min": 1}],
        }
    )
    named = {rule.name: rule.action for rule in found.rules}
    assert named == {
        "dtype_n": "block",
        "not_null_n": "quarantine",
        "range_n": "quarantine",
        "row_count": "block",
    }
    judged = audit(con, stage(pa.table({"n": [0, 1]})), found, relation_of=NOBODY)
    assert [outcome.failed_rows for outcome in judged.outcomes] == [0, 0, 1, 0]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"pandera": f"{__name__}:Coerced"}, "uses coerce"),
        ({"pandera": f"{__name__}:Missing"}, "there is no pandera model at"),
        ({"pandera": "os:getcwd"}, "it is builtin_function_or_method"),
        ({"pandera": f"{__name__}:Plain", "rule": []}, "unknown key 'rule'"),
        ({"pandera": f"{__name__}:Plain", "action": "drop"}, "action 'drop'"),
    ],
)
def test_a_model_that_cannot_be_kept_is_refused_with_what_to_do(given, message):
    with pytest.raises((ConfigError, UnknownName)) as error:
        Contract.parse(given, where="orders.yaml")
    assert message in str(error.value)


def test_a_function_that_is_none_is_refused_and_one_that_fails_says_so(con, stage):
    with pytest.raises(ConfigError, match="there is no function at 'os:missing'"):
        contract(rule="python", function="os:missing")
    with pytest.raises(ConfigError, match="is not a function"):
        contract(rule="python", function="os:sep")
    wrong, staged = (
        contract(rule="python", function=f"{__name__}:not_a_frame"),
        stage(pa.table({"n": [1]})),
    )
    with pytest.raises(PermanentError, match=r"raised TypeError: it returned .*not a frame"):
        audit(con, staged, wrong, relation_of=NOBODY)


def not_a_frame(_: object) -> str:
    return os.sep


def test_personal_data_is_masked_wherever_a_bad_value_is_shown(con, stage):
    mails = [f"ada{i}@example.org" for i in range(5)]
    staged = stage(pa.table({"id": range(5), "email": mails}))
    rules = [
        {"rule": "length", "column": "email", "max": 3},
        {"rule": "set", "column": "email", "values": ["x"]},
        {"rule": "aggregate", "aggregate": "max", "column": "email", "max": "a"},
        {"rule": "sql", "sql": "SELECT id, email AS address_of FROM {table}"},
    ]
    found = audit(con, staged, Contract.parse({"rules": rules}), relation_of=NOBODY)
    text = found.outcomes_json() + "".join(outcome.reason for outcome in found.outcomes)
    assert "a***@***.org" in text
    assert not any(mail in text for mail in mails)
