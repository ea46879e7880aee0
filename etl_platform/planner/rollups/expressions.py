"""Expressions in a form in which equal ones are equal: complete names, one kind of parentheses.

Only expressions of listed kinds are understood: each is a function of its operands, the same in
every session. What is not listed (the clock, random numbers, windows, subqueries, lambdas) makes a
statement one that no rollup answers.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB

from etl_platform.planner.rollups.reasons import NotUsable

DIALECT = "duckdb"
_DUCKDB = DuckDB()
AGGREGATES = (exp.Sum, exp.Count, exp.Min, exp.Max, exp.Avg, exp.ApproxDistinct, exp.Median)
_OPERATORS = (exp.Binary, exp.Not, exp.Neg, exp.Between, exp.In, exp.Is)
_LEAVES = (exp.Literal, exp.Boolean, exp.Null, exp.Star, exp.Var, exp.DataType, exp.DataTypeParam)
_UNDERSTOOD = (
    *(exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.Neg, exp.Abs),
    *(exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.NullSafeEQ, exp.NullSafeNEQ),
    *(exp.And, exp.Or, exp.Not, exp.In, exp.Between, exp.Is, exp.Like, exp.ILike),
    *(exp.Case, exp.If, exp.Coalesce, exp.Nullif, exp.Lower, exp.Upper, exp.Length),
    *(exp.Substring, exp.DPipe, exp.TimestampTrunc, exp.DateTrunc, exp.Extract, exp.Interval),
    *(exp.Distinct, exp.Placeholder, exp.Parameter, exp.Filter, exp.Where),
    *AGGREGATES,
)
_CAST = ("this", "to")
_PARTS: dict[type[exp.Expr], str] = {
    exp.Year: "YEAR",
    exp.Quarter: "QUARTER",
    exp.Month: "MONTH",
    exp.Week: "WEEK",
    exp.Day: "DAY",
    exp.DayOfMonth: "DAY",
}
_MIRRORED: dict[type[exp.Expr], type[exp.Binary]] = {
    exp.LT: exp.GT,
    exp.LTE: exp.GTE,
    exp.GT: exp.LT,
    exp.GTE: exp.LTE,
    exp.EQ: exp.EQ,
    exp.NEQ: exp.NEQ,
}


def normal(node: exp.Expr, resolve: Callable[[exp.Column], exp.Expr]) -> exp.Expr:
    """An expression in normal form.

    Args:
        node: as it was parsed; not changed.
        resolve: the normal form of a column's name.

    Raises:
        NotUsable: it holds something that is not understood.
    """
    if isinstance(node, exp.Paren):
        return normal(node.this, resolve)
    if isinstance(node, exp.Column) and not isinstance(node.this, exp.Star):
        return resolve(node)
    part = _PARTS.get(type(node))
    if part is not None:
        node = exp.Extract(this=exp.var(part), expression=node.this.copy())
    if type(node) is exp.Cast:
        to = node.args["to"]
        if to.args.get("nested") or any(v for k, v in node.args.items() if k not in _CAST):
            raise _odd(node)
        return exp.Cast(this=normal(node.this, resolve), to=to.copy())
    if isinstance(node, exp.Count) and _counts_rows(node):
        return exp.Count(this=exp.Star(), big_int=True)
    if isinstance(node, _LEAVES) and not (isinstance(node, exp.Star) and any(node.args.values())):
        return node.copy()
    if type(node) not in _UNDERSTOOD or (isinstance(node, exp.In) and _reads(node)):
        raise _odd(node)
    made = type(node)()
    for name, value in node.args.items():
        if isinstance(value, list):
            made.set(name, [_operand(normal(v, resolve)) for v in value])
        elif isinstance(value, exp.Expr):
            made.set(name, _operand(normal(value, resolve)))
        else:
            made.set(name, value)
    return _turned(made)


def conjuncts(node: exp.Expr | None) -> list[exp.Expr]:
    """The parts of a normal condition that all have to be true; BETWEEN is two."""
    if node is None:
        return []
    if isinstance(node, exp.Paren):
        return conjuncts(node.this)
    if isinstance(node, exp.And):
        return [*conjuncts(node.this), *conjuncts(node.expression)]
    if isinstance(node, exp.Between) and not node.args.get("symmetric"):
        low, high = node.args["low"], node.args["high"]
        return [
            _turned(exp.GTE(this=node.this.copy(), expression=low.copy())),
            _turned(exp.LTE(this=node.this.copy(), expression=high.copy())),
        ]
    return [node]


def text(node: exp.Expr) -> str:
    """DuckDB's text of a normal expression, which is also what tells two of them apart."""
    return _DUCKDB.generate(node, comments=False)


def shown(node: exp.Expr) -> str:
    """A normal expression for people: names without quotes."""
    return text(node).replace('"', "")


def has_aggregate(node: exp.Expr) -> bool:
    """Whether an expression aggregates rows."""
    return node.find(exp.AggFunc) is not None


def _counts_rows(node: exp.Count) -> bool:
    """``count(*)``, ``count()`` and ``count`` of a constant that is not null."""
    this = node.this
    if node.expressions:
        return False
    return this is None or (
        isinstance(this, exp.Star | exp.Literal) and not any(v for v in _others(this))
    )


def _others(node: exp.Expr) -> list[object]:
    return [v for k, v in node.args.items() if k not in ("this", "is_string")]


def _reads(node: exp.In) -> bool:
    return any(node.args.get(part) for part in ("query", "unnest", "field", "is_global"))


def _operand(node: exp.Expr) -> exp.Expr:
    """In parentheses, where leaving them out could change what binds to what."""
    return exp.Paren(this=node) if isinstance(node, _OPERATORS) else node


def _turned(node: exp.Expr) -> exp.Expr:
    """Constants stand right, and two columns in the order of their names."""
    mirrored = _MIRRORED.get(type(node))
    if mirrored is None:
        return node
    left, right = node.this, node.args["expression"]
    constant = left.find(exp.Column) is None and right.find(exp.Column) is not None
    columns = isinstance(left, exp.Column) and isinstance(right, exp.Column)
    if constant or (columns and text(right) < text(left)):
        return mirrored(this=right, expression=left)
    return node


def _odd(node: exp.Expr) -> NotUsable:
    shown = " ".join(node.sql(dialect=DIALECT).split())
    return NotUsable(f"{shown[:60]} is not understood")


def with_children(node: exp.Expr, change: Callable[[exp.Expr], exp.Expr]) -> exp.Expr:
    """A node of the same kind whose children are changed; ``node`` stays as it is."""
    made = type(node)()
    for name, value in node.args.items():
        if isinstance(value, list):
            made.set(name, [change(v) if isinstance(v, exp.Expr) else v for v in value])
        elif isinstance(value, exp.Expr):
            made.set(name, change(value))
        else:
            made.set(name, value)
    return made
