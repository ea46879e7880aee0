"""From a predicate to the condition on one table that follows from it.

What is not understood becomes "always", never a guess. Only expressions that are monotone in their
one column are understood, and only constants that mean the same in every session.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from sqlglot import exp

from etl_platform.core.duck import literal
from etl_platform.planner.conditions import (
    COLUMN,
    Both,
    Compare,
    Condition,
    Either,
    Null,
    StartsWith,
)


@dataclass(frozen=True, slots=True)
class Typed:
    """A column of a table, with its DuckDB type."""

    name: str
    kind: str


Resolve: TypeAlias = Callable[[exp.Column], Typed | None]
"""The table's column that a name in the statement means, or None when it is another one's."""

_NEGATED: Mapping[str, str] = {"=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_FLIPPED: Mapping[str, str] = {"=": "=", "<>": "<>", "<": ">", ">=": "<=", ">": "<", "<=": ">="}
_OPERATORS: Mapping[type[exp.Expr], str] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}
_CONSTANT = (
    exp.Literal,
    exp.Boolean,
    exp.Null,
    exp.Placeholder,
    exp.Cast,
    exp.DataType,
    exp.DataTypeParam,
    exp.Interval,
    exp.Var,
    exp.Neg,
    exp.Paren,
    exp.Add,
    exp.Sub,
    exp.Mul,
)
_TEXT = "VARCHAR"
_MOMENTS = ("DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ")
_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT")
_UNORDERED = ("BLOB", "STRUCT", "MAP", "[")
_MOMENT_CASTS = (exp.DType.DATE, exp.DType.TIMESTAMP, exp.DType.TIMESTAMPNTZ)
_MOST_VALUES = 200


def conjuncts(condition: exp.Expr | None) -> list[exp.Expr]:
    """The parts of a condition that all have to hold."""
    if condition is None:
        return []
    if isinstance(condition, exp.Paren):
        return conjuncts(condition.this)
    if isinstance(condition, exp.And):
        return [*conjuncts(condition.this), *conjuncts(condition.expression)]
    return [condition]


@dataclass(frozen=True, slots=True)
class Weakening:
    """Weakens predicates to conditions on one table.

    >>> from sqlglot import parse_one
    >>> def of_t(column): return Typed(column.name, "BIGINT") if column.table == "t" else None
    >>> found = Weakening(of_t).of(parse_one("t.a > 5 AND lower(t.b) = 'x' OR t.a IS NULL"))
    >>> found.sql()
    '(("a" > (5)) OR ("a" IS NULL))'

    Attributes:
        resolve: which names are columns of the table.
        texts: names of the parameters whose values are texts.
    """

    resolve: Resolve
    texts: frozenset[str] = frozenset()

    def of(self, node: exp.Expr, *, negated: bool = False) -> Condition | None:
        """What holds in every row for which the predicate (or its negation) is true, or None."""
        if isinstance(node, exp.Paren):
            return self.of(node.this, negated=negated)
        if isinstance(node, exp.Not):
            return self.of(node.this, negated=not negated)
        if isinstance(node, exp.And | exp.Or):
            parts = [self.of(part, negated=negated) for part in (node.this, node.expression)]
            return _all(parts) if isinstance(node, exp.And) is not negated else _any(parts)
        if isinstance(node, exp.Is) and isinstance(node.expression, exp.Null):
            column = self._column(node.this)
            return None if column is None else Null(column.name, negated)
        if isinstance(node, exp.Between):
            return self._between(node, negated)
        if isinstance(node, exp.In):
            return self._in(node, negated)
        if isinstance(node, exp.Like | exp.StartsWith):
            return None if negated else self._prefixed(node)
        operator = _OPERATORS.get(type(node))
        if operator is None:
            return None
        return self._compare(
            node.this, _NEGATED[operator] if negated else operator, node.expression
        )

    def _compare(self, left: exp.Expr, operator: str, right: exp.Expr) -> Condition | None:
        form = self._form(left)
        if form is None:
            left, operator, right = right, _FLIPPED[operator], left
            form = self._form(left)
        if form is None or not is_constant(right):
            return None
        column, text = form
        if column.kind == _TEXT and not self._is_text(right):
            return None  # DuckDB would cast the column, and numbers are not in the order of texts
        names = tuple(found.name for found in right.find_all(exp.Placeholder))
        constant = f"({right.sql(dialect='duckdb')})"
        return Compare(column.name, text, operator, constant, names)

    def _between(self, node: exp.Between, negated: bool) -> Condition | None:
        if node.args.get("symmetric"):
            return None
        low = self._compare(node.this, "<" if negated else ">=", node.args["low"])
        high = self._compare(node.this, ">" if negated else "<=", node.args["high"])
        return _any([low, high]) if negated else _all([low, high])

    def _in(self, node: exp.In, negated: bool) -> Condition | None:
        values = node.expressions
        if not negated:  # nothing equals null
            values = [value for value in values if not isinstance(value, exp.Null)]
        if not values or len(values) > _MOST_VALUES:
            return None
        found = [self._compare(node.this, "<>" if negated else "=", value) for value in values]
        return _all(found) if negated else _any(found)

    def _prefixed(self, node: exp.Expr) -> Condition | None:
        column = self._column(node.this)
        pattern = node.expression
        if column is None or column.kind != _TEXT:
            return None
        if not (isinstance(pattern, exp.Literal) and pattern.is_string):
            return None
        prefix = pattern.name
        if isinstance(node, exp.Like):
            ends = [place for sign in "%_" if (place := prefix.find(sign)) >= 0]
            if not ends:
                return None
            prefix = prefix[: min(ends)]
        return StartsWith(column.name, prefix) if prefix else None

    def _form(self, node: exp.Expr) -> tuple[Typed, str] | None:
        """The column of an expression that never falls while its column rises, and its text."""
        node = _bare(node)
        column = self._column(node)
        if column is not None:
            return (column, COLUMN) if not _is_unordered(column.kind) else None
        column = self._column(node.this) if isinstance(node.this, exp.Expr) else None
        if column is None:
            return None
        if isinstance(node, exp.Add | exp.Sub):
            number = node.expression
            if column.kind not in _WHOLE or not (isinstance(number, exp.Literal) and number.is_int):
                return None
            sign = "+" if isinstance(node, exp.Add) else "-"
            return column, f"({COLUMN} {sign} {number.name})"
        if column.kind not in _MOMENTS:
            return None
        if type(node) is exp.Cast and node.to.this in _MOMENT_CASTS:
            return column, f"CAST({COLUMN} AS {node.to.sql(dialect='duckdb')})"
        unit = node.args.get("unit")
        if isinstance(node, exp.TimestampTrunc | exp.DateTrunc) and unit is not None:
            return column, f"date_trunc({literal(unit.name)}, {COLUMN})"
        return (column, f"year({COLUMN})") if isinstance(node, exp.Year) else None

    def _column(self, node: exp.Expr) -> Typed | None:
        node = _bare(node)
        return self.resolve(node) if type(node) is exp.Column else None

    def _is_text(self, constant: exp.Expr) -> bool:
        constant = _bare(constant)
        if isinstance(constant, exp.Placeholder):
            return constant.name in self.texts
        return isinstance(constant, exp.Literal) and constant.is_string


def is_constant(node: exp.Expr) -> bool:
    """Whether an expression means the same in every session: literals, parameters, arithmetic."""
    return all(
        isinstance(part, _CONSTANT)
        and (not isinstance(part, exp.Placeholder) or part.args.get("this"))
        for part in node.walk()
    )


def _is_unordered(kind: str) -> bool:
    return any(mark in kind for mark in _UNORDERED)


def _bare(node: exp.Expr) -> exp.Expr:
    while isinstance(node, exp.Paren):
        node = node.this
    return node


def _all(parts: list[Condition | None]) -> Condition | None:
    known = tuple(part for part in parts if part is not None)
    if len(known) < 2:
        return known[0] if known else None
    return Both(known)


def _any(parts: list[Condition | None]) -> Condition | None:
    known = tuple(part for part in parts if part is not None)
    if len(known) < len(parts):
        return None
    return known[0] if len(known) == 1 else Either(known)
