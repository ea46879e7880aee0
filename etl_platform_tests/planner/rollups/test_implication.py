"""A rollup's own condition follows from a statement's, or nothing is concluded."""

from __future__ import annotations

import duckdb
import pytest
import sqlglot

from etl_platform.planner.rollups.implication import implied

FOLLOWS = [
    ("x > 5", "x > 5"),
    ("x > 5", "x > 6"),
    ("x > 5", "x >= 6"),
    ("x >= 5", "x > 5"),
    ("x >= 5", "x = 5"),
    ("x < 5", "x < 4.5"),
    ("x <= 5", "x < 5"),
    ("x <= -5", "x = -7"),
    ("x <> 5", "x = 6"),
    ("x > 1", "x IN (2, 3)"),
    ("NOT (x IS NULL)", "x <> 3"),
    ("NOT (x IS NULL)", "y > x"),
    ("d >= '2024-01-01'", "d = '2024-03-01'"),
    ("d >= CAST('2024-01-01' AS DATE)", "d >= '2024-01-01'"),
]
DOES_NOT = [
    ("x > 5", "x >= 5"),
    ("x < 5", "x <= 5"),
    ("x > 5", "x > 4"),
    ("x > 5", "x < 9"),
    ("x < 5", "x > 2"),
    ("x = 5", "x >= 5"),
    ("x <> 5", "x > 4"),
    ("x > 5", "y > 6"),
    ("x > 1", "x IN (1, 2)"),
    ("NOT (x IS NULL)", "y > 3"),
    ("NOT (x IS NULL)", "x IS NULL"),
    ("d >= '2024-01-02'", "d >= '2024-01-01'"),
    ("x > 5", "x > '6'"),
]


def _condition(sql: str) -> sqlglot.exp.Expr:
    return sqlglot.parse_one(sql, dialect="duckdb")


def _counterexamples(wanted: str, given: str) -> int:
    """Rows around the bounds for which ``given`` is true and ``wanted`` is not."""
    rows = """
        (SELECT x / 2.0 FROM range(-20, 20) t(x) UNION ALL SELECT NULL) AS x(x),
        (SELECT y FROM range(0, 9) t(y) UNION ALL SELECT NULL) AS y(y),
        (SELECT DATE '2023-12-30' + d::INT FROM range(100) t(d) UNION ALL SELECT NULL) AS d(d)
    """
    sql = f"SELECT count(*) FROM {rows} WHERE ({given}) AND ({wanted}) IS NOT TRUE"
    with duckdb.connect(config={"threads": 1}) as con:
        return con.execute(sql).fetchall()[0][0]


@pytest.mark.parametrize(("wanted", "given"), FOLLOWS)
def test_what_is_said_to_follow_has_no_counterexample(wanted: str, given: str) -> None:
    assert implied(_condition(wanted), [_condition("y = 1"), _condition(given)])
    assert _counterexamples(wanted, given) == 0


@pytest.mark.parametrize(("wanted", "given"), DOES_NOT)
def test_what_does_not_follow_is_not_said_to(wanted: str, given: str) -> None:
    assert not implied(_condition(wanted), [_condition(given)])
