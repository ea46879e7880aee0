"""Means, computed from sums and counts in the way in which DuckDB computes them from rows.

DuckDB 2 has two ways, which differ in the last bit of some results. Its optimizer turns ``avg(x)``
into ``sum(x) / count(x)``, both as DOUBLE, in a statement without GROUP BY, and beside ``sum(x)``
or ``count(x)`` (duckdb#21149); else the aggregate itself divides, in extended precision. That one
is asked for with ``finalize(to_aggregate_state(..))``, which gives a sum and a count the form of an
aggregate that has seen the rows.
"""

from __future__ import annotations

import re

import sqlglot
from sqlglot import exp

from etl_platform.planner.rollups.expressions import DIALECT, text
from etl_platform.planner.rollups.shape import Shape

_STATES = {
    "TINYINT": "SMALLINT",
    "SMALLINT": "SMALLINT",
    "INTEGER": "INTEGER",
    "BIGINT": "BIGINT",
    "HUGEINT": "HUGEINT",
}
_DECIMAL = re.compile(r"DECIMAL\(\d+,(\d+)\)")


def divides(shape: Shape, argument: exp.Expr) -> bool | None:
    """Whether DuckDB divides sum by count for the mean of ``argument``; None where it depends.

    What it depends on is whether DuckDB knows the argument to be never null: then it may share
    ``count(*)``. Parquet files do not tell it, a condition on the argument does.
    """
    if not shape.groups:
        return True
    beside = {
        text(call)
        for one in (*(o.value for o in shape.outputs), shape.having, *(t for t, _ in shape.order))
        if isinstance(one, exp.Expr)
        for call in one.find_all(exp.Sum, exp.Count)
    }
    if {text(exp.Sum(this=argument.copy())), text(_count(argument))} & beside:
        return True
    columns = {text(column) for column in argument.find_all(exp.Column)}
    conditions = [*shape.where, *(one for join in shape.outer for one in join.on)]
    asked = {text(c) for one in conditions for c in one.find_all(exp.Column)}
    return None if columns & asked else False


def divided(total: exp.Expr, count: exp.Expr) -> exp.Expr:
    """The mean as a division of two DOUBLEs."""
    return _parsed(f"CAST({text(total)} AS DOUBLE) / CAST({text(count)} AS DOUBLE)")


def finalized(total: exp.Expr, count: exp.Expr, kind: str) -> exp.Expr | None:
    """The mean by the aggregate's own division; None for an argument of another type.

    Args:
        total: the sum; null where the count is zero.
        count: of values that are not null.
        kind: the argument's DuckDB type: integers and decimals.
    """
    state, value = _STATES.get(kind), f"CAST({text(total)} AS HUGEINT)"
    if kind.startswith("DECIMAL"):
        # The state of decimals holds the digits without their point.
        found = _DECIMAL.fullmatch(kind)
        scale = 0 if found is None else int(found[1])
        digits = f"CAST({text(total)} AS DECIMAL(38, {scale}))"
        state = kind
        value = f"CAST(replace(CAST({digits} AS VARCHAR), '.', '') AS HUGEINT)"
    if state is None:
        return None
    body = f"{{'count': {text(count)}, 'value': coalesce({value}, 0)}}"
    return _parsed(f"finalize(to_aggregate_state({body}, 'avg', ['{state}']))")


def _count(argument: exp.Expr) -> exp.Expr:
    return exp.Count(this=argument.copy(), big_int=True)


def _parsed(sql: str) -> exp.Expr:
    return sqlglot.parse_one(sql, dialect=DIALECT)
