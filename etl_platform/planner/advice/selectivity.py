"""The share of rows for which a predicate is true."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from sqlglot import exp
from sqlglot.optimizer.simplify import simplify

from etl_platform.planner.advice.values import EQUAL, RANGE, Constant, Values
from etl_platform.planner.weakening import conjuncts, is_constant

ValuesOf: TypeAlias = Callable[[exp.Column], Values | None]
"""What is known of a column's values; None for a column from elsewhere."""
_RARE = 0.05
_FLIPPED: dict[type[exp.Expr], type[exp.Expr]] = {
    exp.LT: exp.GT,
    exp.GT: exp.LT,
    exp.LTE: exp.GTE,
    exp.GTE: exp.LTE,
}


def share(node: exp.Expr, values_of: ValuesOf) -> float:
    """The share of rows, between 0 and 1, for which a predicate is true.

    From frequent values, quantiles, distinct values and nulls of the columns, as far as they are
    known; parts of AND and OR are taken for independent. Inner queries count as unknown.
    """
    return min(1.0, max(0.0, _share(node, values_of)))


def shares(conditions: list[exp.Expr], values_of: ValuesOf) -> float:
    """The share of rows for which all of several predicates are true.

    Independent of each other, but for two ends of a range of one column.
    """
    whole, pending = 1.0, list(conditions)
    while pending:
        one = pending.pop()
        low = _end(one, values_of)
        other = next((c for c in pending if low and _closes(low, _end(c, values_of))), None)
        if low is None or other is None:
            whole *= share(one, values_of)
            continue
        pending.remove(other)
        present = 1 - low[1].nulls
        between = share(one, values_of) + share(other, values_of) - present
        whole *= max(between, low[1].equal(None) if between <= 0 else 0.0)
    return whole


def _end(node: exp.Expr, values_of: ValuesOf) -> tuple[exp.Expr, Values, bool] | None:
    """The column that a comparison bounds by a constant, and whether from below."""
    if type(node) not in _FLIPPED:
        return None
    upward = isinstance(node, exp.GT | exp.GTE)
    for side, other in ((node.this, node.expression), (node.expression, node.this)):
        values = _values(side, values_of)
        if values is not None and values.curve and constant_of(other) is not None:
            return side, values, upward if side is node.this else not upward
    return None


def _closes(
    one: tuple[exp.Expr, Values, bool], other: tuple[exp.Expr, Values, bool] | None
) -> bool:
    return other is not None and one[0] == other[0] and one[2] is not other[2]


def _share(node: exp.Expr, values_of: ValuesOf) -> float:
    if isinstance(node, exp.Paren):
        return _share(node.this, values_of)
    if isinstance(node, exp.And):
        return shares(conjuncts(node), values_of)
    if isinstance(node, exp.Or):
        left, right = share(node.this, values_of), share(node.expression, values_of)
        return left + right - left * right
    if isinstance(node, exp.Not):
        return 1 - share(node.this, values_of)
    if isinstance(node, exp.Boolean):
        return 1.0 if node.this else 0.0
    if isinstance(node, exp.Is):
        column = _values(node.this, values_of)
        asked = column is not None and isinstance(node.expression, exp.Null)
        return column.nulls if column is not None and asked else _RARE
    if isinstance(node, exp.In):
        return _in(node, values_of)
    if isinstance(node, exp.Between):
        return _between(node, values_of)
    if isinstance(node, exp.EQ | exp.NEQ):
        found = _equal(node, values_of)
        return found if isinstance(node, exp.EQ) else 1 - found
    if type(node) in _FLIPPED:
        return _compared(node, values_of)
    return EQUAL if isinstance(node, exp.Like | exp.ILike) else RANGE


def _in(node: exp.In, values_of: ValuesOf) -> float:
    column = _values(node.this, values_of)
    if not node.expressions:
        return RANGE
    if column is None:
        return min(0.5, EQUAL * len(node.expressions))
    return sum(column.equal(constant_of(value)) for value in node.expressions)


def _between(node: exp.Between, values_of: ValuesOf) -> float:
    column = _values(node.this, values_of)
    low, high = (constant_of(node.args[side]) for side in ("low", "high"))
    if column is None or not column.curve or low is None or high is None:
        return RANGE * 0.75
    return column.below(high) - column.below(low) + column.equal(high)


def _equal(node: exp.Expr, values_of: ValuesOf) -> float:
    left, right = _values(node.this, values_of), _values(node.expression, values_of)
    if left is not None and right is not None:
        counts = [side.distinct for side in (left, right) if side.distinct]
        return 1 / max(counts) if counts else EQUAL
    if left is None and right is None:
        return EQUAL
    column = left or right
    assert column is not None
    return column.equal(constant_of(node.expression if left is not None else node.this))


def _compared(node: exp.Expr, values_of: ValuesOf) -> float:
    kind, column, other = type(node), _values(node.this, values_of), node.expression
    if column is None:
        kind, column, other = _FLIPPED[kind], _values(node.expression, values_of), node.this
    constant = constant_of(other)
    if column is None or constant is None or not column.curve:
        return RANGE
    below, equal = column.below(constant), column.equal(constant)
    if kind in (exp.LT, exp.LTE):
        return below if kind is exp.LT else max(below, min(1.0, below + equal))
    above = 1 - column.nulls - below
    return above - equal if kind is exp.GT and equal < above else above


def _values(node: exp.Expr, values_of: ValuesOf) -> Values | None:
    while isinstance(node, exp.Paren):
        node = node.this
    return values_of(node) if type(node) is exp.Column else None


def constant_of(node: exp.Expr) -> Constant | None:
    """The value of a constant expression: a number, or text (ISO 8601 for days and times)."""
    if not is_constant(node):
        return None
    if not isinstance(node, exp.Literal):
        node = simplify(node.copy(), dialect="duckdb")
    sign = 1.0
    while isinstance(node, exp.Cast | exp.Paren | exp.Neg):
        sign = -sign if isinstance(node, exp.Neg) else sign
        node = node.this
    if not isinstance(node, exp.Literal):
        return None
    if node.is_string:
        return node.name
    try:
        return sign * float(node.name)
    except ValueError:
        return None
