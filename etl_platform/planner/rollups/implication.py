"""Whether a statement's conditions imply a rollup's own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import TypeAlias

from sqlglot import exp

from etl_platform.planner.rollups.expressions import text

_MOST_DIGITS = 15
_Value: TypeAlias = Decimal | dt.date
_COMPARISONS = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE)


def implied(wanted: exp.Expr, given: Sequence[exp.Expr]) -> bool:
    """Whether ``wanted`` is true of every row of which all of ``given`` are; False when unsure.

    Understood are equal conditions, ``x IS NOT NULL`` beside a comparison of ``x``, and bounds of
    one expression by numbers or ISO dates.

    >>> import sqlglot
    >>> def condition(sql): return sqlglot.parse_one(sql, dialect="duckdb")
    >>> implied(condition("x > 3"), [condition("x >= 5")])
    True
    >>> implied(condition("x > 5"), [condition("x >= 5")])
    False
    """
    same = text(wanted)
    return any(text(one) == same or _follows(wanted, one) for one in given)


def _follows(wanted: exp.Expr, given: exp.Expr) -> bool:
    if isinstance(given, exp.In) and not given.args.get("query") and given.expressions:
        subject = given.this
        return all(
            _follows(wanted, exp.EQ(this=subject.copy(), expression=value.copy()))
            for value in given.expressions
        )
    if not isinstance(given, _COMPARISONS):
        return False
    unnested = wanted.this.unnest() if isinstance(wanted, exp.Not) else None
    if isinstance(unnested, exp.Is) and isinstance(unnested.expression, exp.Null):
        kept = text(unnested.this.unnest())
        return kept in (text(given.this.unnest()), text(given.expression.unnest()))
    if not isinstance(wanted, _COMPARISONS) or text(wanted.this) != text(given.this):
        return False
    bound, known = _value(wanted.expression), _value(given.expression)
    if bound is None or known is None or type(bound) is not type(known):
        return False
    return _holds(wanted, bound, given, known)


def _holds(wanted: exp.Expr, bound: _Value, given: exp.Expr, known: _Value) -> bool:
    """For values of one type: whether ``x given known`` implies ``x wanted bound``."""
    above = known > bound  # pyright: ignore[reportOperatorIssue] - both are of one type
    if isinstance(given, exp.EQ):
        below = known < bound  # pyright: ignore[reportOperatorIssue] - both are of one type
        held: Mapping[type[exp.Expr], bool] = {
            exp.EQ: known == bound,
            exp.NEQ: known != bound,
            exp.LT: below,
            exp.LTE: below or known == bound,
            exp.GT: above,
            exp.GTE: above or known == bound,
        }
        return held[type(wanted)]
    if isinstance(given, exp.GT | exp.GTE) and isinstance(wanted, exp.GT | exp.GTE):
        strict = isinstance(wanted, exp.GT) and isinstance(given, exp.GTE)
        return above or (known == bound and not strict)
    if isinstance(given, exp.LT | exp.LTE) and isinstance(wanted, exp.LT | exp.LTE):
        strict = isinstance(wanted, exp.LT) and isinstance(given, exp.LTE)
        return not above and (known != bound or not strict)
    return False


def _value(node: exp.Expr) -> _Value | None:
    if isinstance(node, exp.Paren):
        return _value(node.this)
    if isinstance(node, exp.Neg):
        found = _value(node.this)
        return -found if isinstance(found, Decimal) else None
    if isinstance(node, exp.Cast) and node.to.is_type("date"):
        node = node.this
    if not isinstance(node, exp.Literal):
        return None
    try:
        if node.is_string:
            return dt.date.fromisoformat(node.name) if len(node.name) == 10 else None
        # Longer ones may be equal once they are floats.
        return Decimal(node.name) if len(node.name) <= _MOST_DIGITS else None
    except (InvalidOperation, ValueError):
        return None
