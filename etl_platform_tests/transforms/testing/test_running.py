"""A model over given rows: typed by its inputs, at a moment that stands still."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from etl_platform.core.names import TableName
from etl_platform.transforms.sql_models import load_models
from etl_platform.transforms.testing.rendering import as_data, as_text
from etl_platform.transforms.testing.running import Outcome, run_test
from etl_platform.transforms.testing.spec import read_tests

ORDERS = {
    "id": "BIGINT",
    "country": "VARCHAR",
    "amount": "DECIMAL(9,2)",
    "placed_at": "TIMESTAMPTZ",
    "tags": "VARCHAR[]",
    "place": "STRUCT(lat DOUBLE, lon DOUBLE)",
}
KNOWN = {TableName("shop", "orders"): ORDERS, TableName("shop", "unknown"): None}
BY_COUNTRY = "SELECT country, sum(amount) AS total, count(*) AS orders FROM shop.orders GROUP BY 1"


def outcomes(folder: Path, sql: str, tests: str) -> list[Outcome]:
    (folder / "found.sql").write_text(sql)
    file = folder / "found.test.yaml"
    file.write_text(tests)
    (model,) = load_models(folder, KNOWN, default_schema="marts")
    return [run_test(model, test) for test in read_tests(file)]


def test_rows_are_typed_by_the_columns_of_the_input(tmp_path: Path) -> None:
    (found,) = outcomes(
        tmp_path,
        "SELECT country, amount, placed_at, tags[1] AS tag, place.lat AS lat FROM shop.orders",
        """
- name: types
  given:
    shop.orders:
      - {country: NO, amount: 0.10, placed_at: 2024-01-01T01:00:00+01:00, tags: [a, b],
         place: {lat: 59.9, lon: 10.7}}
      - {id: 2}
  expect:
    - {country: NO, amount: 0.1, placed_at: 2024-01-01T00:00:00Z, tag: a, lat: 59.9}
    - {country: null, amount: null, placed_at: null, tag: null, lat: null}
""",
    )
    assert found.status == "passed", found.message


@pytest.mark.parametrize(
    "clock",
    [
        "now()",
        "CURRENT_TIMESTAMP",
        "get_current_timestamp()",
        "current_date",
        "today()",
        "localtimestamp",
    ],
)
def test_the_clock_stands_still(tmp_path: Path, clock: str) -> None:
    (found,) = outcomes(
        tmp_path,
        f"SELECT ({clock})::DATE AS day, age(TIMESTAMP '2024-02-01')::VARCHAR AS age "
        "FROM shop.orders",
        """
- name: leap day
  now: 2024-02-29T23:30:00-01:00
  given: {shop.orders: [{id: 1}]}
  expect: [{day: 2024-03-01, age: 1 month}]
""",
    )
    assert found.status == "passed", found.message


def test_a_failure_shows_which_cells_of_which_rows_differ(tmp_path: Path) -> None:
    (found,) = outcomes(
        tmp_path,
        BY_COUNTRY,
        """
- name: totals
  given:
    shop.orders: [{country: NO, amount: 1}, {country: SE, amount: 2}, {country: SE, amount: 2}]
  expect:
    - {country: NO, total: 1}
    - {country: SE, total: 3}
    - {country: DK, total: 5}
""",
    )
    assert found.status == "failed"
    shown = as_text(found)
    lines = [line.split() for line in shown.splitlines()]
    assert ["-", "SE", "3"] in lines
    assert ["+", "SE", "4"] in lines
    assert ["-", "DK", "5"] in lines
    assert not any("NO" in line for line in lines)
    assert "found.test.yaml:2: marts.found: totals" in shown
    told = as_data(found)["rows"]
    assert isinstance(told, list)
    assert told[0] == {
        "kind": "differs",
        "expected": {"country": "SE", "total": 3},
        "actual": {"country": "SE", "total": 4},
        "columns": ["total"],
    }


def test_inputs_that_are_not_given_are_empty_and_no_rows_can_be_expected(tmp_path: Path) -> None:
    none, some = outcomes(
        tmp_path,
        BY_COUNTRY,
        """
- {name: none, expect: []}
- {name: some, given: {shop.orders: [{country: NO}]}, expect: []}
""",
    )
    assert none.status == "passed"
    assert some.status == "failed"
    assert some.difference is not None
    assert some.difference.columns == ("country", "total", "orders")


def test_an_error_of_the_model_can_be_expected(tmp_path: Path) -> None:
    expected, other, none, unexpected = outcomes(
        tmp_path,
        "SELECT CAST(country AS INTEGER) AS number FROM shop.orders",
        """
- {name: a, given: {shop.orders: [{country: x}]}, expect: {error: Could not convert}}
- {name: b, given: {shop.orders: [{country: x}]}, expect: {error: too many}}
- {name: c, given: {shop.orders: [{country: 1}]}, expect: {error: Could not convert}}
- {name: d, given: {shop.orders: [{country: x}]}, expect: [{number: 1}]}
""",
    )
    assert [one.status for one in (expected, other, none, unexpected)] == [
        "passed",
        "failed",
        "failed",
        "error",
    ]
    assert "'too many' was expected, this one came" in other.message
    assert "1 rows where an error was expected" in none.message
    assert "Could not convert" in unexpected.message


def test_what_steps_expect_of_rows_is_held_before_the_model_runs(tmp_path: Path) -> None:
    (tmp_path / "found.sql").write_text(BY_COUNTRY)
    file = tmp_path / "found.test.yaml"
    file.write_text(
        """
- {name: a, given: {shop.orders: [{id: 1}]}, expect: [{orders: 1}]}
- {name: b, given: {shop.orders: [{id: 1}, {id: 1}]}, expect: {error: twice}}
"""
    )
    (model,) = load_models(tmp_path, KNOWN, default_schema="marts")
    twice = "SELECT id FROM shop.orders GROUP BY id HAVING count(*) > 1"
    guarded = replace(model, guards=((twice, "an order is there twice"),))
    first, second = (run_test(guarded, test) for test in read_tests(file))
    assert (first.status, second.status) == ("passed", "passed")
    assert run_test(model, second.test).status == "failed"


@pytest.mark.parametrize(
    ("given", "expect", "said"),
    [
        ("{shop.order: [{id: 1}]}", "[]", "unknown input of marts.found 'shop.order'"),
        ("{shop.orders: [{ids: 1}]}", "[]", "unknown column of shop.orders 'ids'"),
        ("{shop.orders: [{id: x}]}", "[]", "shop.orders.id is BIGINT, got 'x'"),
        ("{}", "[{totl: 1}]", "unknown column of marts.found 'totl'"),
        ("{}", "[{total: x}]", "marts.found.total is DECIMAL(38,2), got 'x'"),
        ("{}", "{rows: [], columns: [totl]}", "unknown column of marts.found 'totl'"),
    ],
)
def test_tests_that_do_not_fit_the_model_are_errors_with_file_and_line(
    tmp_path: Path, given: str, expect: str, said: str
) -> None:
    text = f"- name: a\n  given: {given}\n  expect: {expect}\n"
    (found,) = outcomes(tmp_path, BY_COUNTRY, text)
    assert found.status == "error"
    assert said in found.message
    assert f"{tmp_path / 'found.test.yaml'}:" in found.message


def test_inputs_whose_columns_are_not_known_cannot_be_given(tmp_path: Path) -> None:
    (found,) = outcomes(tmp_path, "SELECT id FROM shop.unknown", "- {name: a, expect: []}")
    assert found.status == "error"
    assert "columns of shop.unknown, which marts.found reads, are not known" in found.message
