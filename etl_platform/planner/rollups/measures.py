"""Aggregates of rows, written over the aggregates of groups of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from sqlglot import exp

from etl_platform.planner.rollups.covering import Cover
from etl_platform.planner.rollups.expressions import (
    AGGREGATES,
    has_aggregate,
    shown,
    text,
    with_children,
)
from etl_platform.planner.rollups.means import divided, divides, finalized
from etl_platform.planner.rollups.reasons import NotUsable, Stage
from etl_platform.planner.rollups.shape import Shape

_FLOATS = frozenset({"FLOAT", "DOUBLE"})
_WHOLE = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"})
_COUNT = exp.Count(this=exp.Star(), big_int=True)


@dataclass(frozen=True, slots=True)
class Measures:
    """What a rollup computed of each of its groups.

    Attributes:
        wanted: the statement.
        rollup: the rollup's SELECT.
        columns: text of a normal aggregate to the rollup's column that holds it.
        cover: its keys.
        same_groups: whether the statement's groups are the rollup's own, one row each.
        floats: whether sums and means of floats may be used, which depend on the order of rows.
        kind_of: the DuckDB type of a normal expression over the statement's tables.
    """

    wanted: Shape
    rollup: Shape
    columns: Mapping[str, exp.Column]
    cover: Cover
    same_groups: bool
    floats: bool
    kind_of: Callable[[exp.Expr], str]

    def over(self, node: exp.Expr) -> exp.Expr:
        """An output, HAVING or ORDER BY over the rollup: aggregates of aggregates.

        Raises:
            NotUsable: it needs an aggregate that the rollup does not have, or that cannot be
                computed from those of finer groups.
        """
        if isinstance(node, (*AGGREGATES, exp.Filter)):
            return _cast(self._aggregate(node), self.kind_of(node))
        if not has_aggregate(node):
            return self.cover.over(node)
        return with_children(node, self.over)

    def _aggregate(self, node: exp.Expr) -> exp.Expr:
        call = node.this if isinstance(node, exp.Filter) else node
        if any(v for k, v in call.args.items() if k not in ("this", "big_int")):
            raise NotUsable(f"{shown(node)} has more than one argument", Stage.MEASURES)
        stored = self.columns.get(text(node))
        if stored is not None and not isinstance(call.this, exp.Distinct):
            again = self._again(call, stored, None)
            if again is not None:
                return again
        condition = None
        if isinstance(node, exp.Filter):
            condition = self.cover.over(node.expression.this)
            kept = self.columns.get(text(call))
            again = None if kept is None else self._again(call, kept, condition)
            if again is not None and not isinstance(call.this, exp.Distinct):
                return again
        found = self._of_keys(call, condition)
        if found is None and isinstance(call, exp.Avg):
            found = self._mean(call, node)
        if found is not None:
            return found
        if stored is not None and self.same_groups:
            self._check_order(call)
            if isinstance(call, exp.Avg) and not self._same_mean(call):
                raise NotUsable(f"DuckDB may round {shown(call)} in two ways here", Stage.MEASURES)
            return exp.AnyValue(this=stored.copy())
        raise NotUsable(_missing(call, node, stored is not None, self.cover), Stage.MEASURES)

    def _again(
        self, call: exp.Expr, stored: exp.Column, condition: exp.Expr | None
    ) -> exp.Expr | None:
        """The aggregate of stored ones, for the kinds that can be added up."""
        if isinstance(call, exp.Count):
            return _total(stored, condition)
        if isinstance(call, exp.Sum):
            self._check_order(call)
            kind = self.kind_of(call)
            part = _cast(stored.copy(), kind) if kind == "HUGEINT" else stored.copy()
            return _filtered(exp.Sum(this=part), condition)
        if isinstance(call, exp.Min | exp.Max):
            return _filtered(type(call)(this=stored.copy()), condition)
        return None

    def _of_keys(self, call: exp.Expr, condition: exp.Expr | None) -> exp.Expr | None:
        """Aggregates of what groups are made by: every value of it is still there."""
        distinct = isinstance(call.this, exp.Distinct)
        alike = isinstance(call, exp.Min | exp.Max | exp.ApproxDistinct)
        if not (alike or isinstance(call, exp.Count)) or isinstance(call.this, exp.Star):
            return None
        try:
            if distinct:
                (value,) = call.this.expressions
                inner: exp.Expr = exp.Distinct(expressions=[self.cover.over(value)])
            else:
                inner = self.cover.over(call.this)
        except (NotUsable, ValueError):
            return None
        if alike or distinct:
            return _filtered(type(call)(this=inner), condition)
        rows = self.columns.get(text(_COUNT))
        if rows is None:
            return None
        null = exp.Is(this=exp.Paren(this=inner), expression=exp.Null())
        known: exp.Expr = exp.Not(this=exp.Paren(this=null))
        if condition is not None:
            known = exp.And(this=known, expression=exp.Paren(this=condition))
        return _total(rows, known)

    def _mean(self, call: exp.Avg, node: exp.Expr) -> exp.Expr | None:
        """A mean from sum and count, see :mod:`.means`."""
        argument = call.this
        total = self.columns.get(text(exp.Sum(this=argument.copy())))
        count = self.columns.get(text(exp.Count(this=argument.copy(), big_int=True)))
        if isinstance(node, exp.Filter) or total is None or count is None:
            return None
        self._check_order(call)
        sums = self._again(exp.Sum(this=argument.copy()), total, None)
        assert sums is not None
        kind, division = self.kind_of(argument), divides(self.wanted, argument)
        if kind in _FLOATS or division:
            return divided(sums, _total(count, None))
        if division is None:
            raise NotUsable(f"DuckDB may round {shown(call)} in two ways here", Stage.MEASURES)
        return finalized(sums, _total(count, None), kind)

    def _same_mean(self, call: exp.Avg) -> bool:
        """Whether the mean that is kept was computed in the way that the statement's would be."""
        ways = {divides(shape, call.this) for shape in (self.rollup, self.wanted)}
        return len(ways) == 1 and None not in ways

    def _check_order(self, call: exp.Expr) -> None:
        """Refuse what the order of rows decides the last bits of."""
        if self.floats or not isinstance(call, exp.Sum | exp.Avg):
            return
        argument = call.this
        if isinstance(argument, exp.Distinct):
            raise NotUsable(f"{shown(call)} is not kept", Stage.MEASURES)
        kind = self.kind_of(argument)
        if kind in _FLOATS or not (kind in _WHOLE or kind.startswith(("DECIMAL", "BOOLEAN"))):
            raise NotUsable(
                f"{shown(call)} adds {kind}, and sums of floats depend on the order of rows; "
                "'rollup: {floats: approximate}' allows it",
                Stage.MEASURES,
            )


def _total(stored: exp.Column, condition: exp.Expr | None) -> exp.Expr:
    """Counts added up: zero where there is none to add."""
    total = _filtered(exp.Sum(this=_cast(stored.copy(), "HUGEINT")), condition)
    return exp.Coalesce(this=total, expressions=[exp.Literal.number(0)])


def _filtered(call: exp.Expr, condition: exp.Expr | None) -> exp.Expr:
    if condition is None:
        return call
    return exp.Filter(this=call, expression=exp.Where(this=condition.copy()))


def _cast(node: exp.Expr, kind: str) -> exp.Expr:
    return exp.Cast(this=node, to=_type(kind).copy())


@lru_cache(maxsize=256)
def _type(kind: str) -> exp.DataType:
    return exp.DataType.build(kind, dialect="duckdb")


def _missing(call: exp.Expr, node: exp.Expr, stored: bool, cover: Cover) -> str:
    if isinstance(call, exp.Avg) and not stored and not isinstance(node, exp.Filter):
        total = shown(exp.Sum(this=call.this.copy()))
        return f"{cover.table} lacks {total} or the count for {shown(call)}"
    if isinstance(call, exp.Count | exp.ApproxDistinct) and (
        isinstance(call, exp.ApproxDistinct) or isinstance(call.this, exp.Distinct)
    ):
        return f"{shown(node)} cannot be added up from groups, and is not of a key of {cover.table}"
    if stored:
        return f"{shown(node)} cannot be computed from finer groups of {cover.table}"
    return f"{cover.table} does not have {shown(node)}"
