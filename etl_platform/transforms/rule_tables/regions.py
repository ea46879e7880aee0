"""Which rows a condition is true for, as far as that can be told: boxes over the columns.

A box says of some columns which values they may have, as a union of intervals and whether null is
one. Intervals are kept between cuts: ``(value, 0)`` lies just before a value, ``(value, 1)`` just
after it, so that every interval is half-open whatever its ends were.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

from sqlglot import exp

Cut: TypeAlias = "tuple[Any, int] | None"
"""None is below everything as a lower end, and above everything as an upper one."""
MOST_BOXES = 500


@dataclass(frozen=True, slots=True)
class Allowed:
    """Values of one column: intervals in order, not touching, and whether null is among them."""

    intervals: tuple[tuple[Cut, Cut], ...]
    null: bool

    def __and__(self, other: Allowed) -> Allowed:
        both = (_meet(a, b) for a in self.intervals for b in other.intervals)
        return Allowed(tuple(one for one in both if one), self.null and other.null)

    def __invert__(self) -> Allowed:
        gaps: list[tuple[Cut, Cut]] = []
        low: Cut = None
        open_end = True
        for start, end in self.intervals:
            if start is not None and start != low:
                gaps.append((low, start))
            low, open_end = end, end is not None
        if open_end:
            gaps.append((low, None))
        return Allowed(tuple(gaps), not self.null)

    def __bool__(self) -> bool:
        return self.null or bool(self.intervals)


EVERYTHING = Allowed(((None, None),), null=True)
Box: TypeAlias = Mapping[str, Allowed]
"""By column; one that is not there may have any value."""
Kinds: TypeAlias = Mapping[str, str]
"""Lower-case column to the kind of its values: number, text or time; others are not here."""


@dataclass(frozen=True, slots=True)
class Region:
    """The rows for which a condition is true are those of the boxes, or at most those.

    ``exact`` is False where a part of the condition is not understood.
    """

    boxes: tuple[Box, ...]
    exact: bool


def kinds_of(columns: Mapping[str, str]) -> Kinds:
    """The kinds of columns with DuckDB types."""
    return {
        name.lower(): kind
        for name, duckdb_type in columns.items()
        for prefixes, kind in _KINDS
        if duckdb_type.upper().startswith(prefixes) and not duckdb_type.endswith("]")
    }


_KINDS = (
    (("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "DECIMAL", "FLOAT", "DOUBLE"), "number"),
    (("VARCHAR",), "text"),
    (("DATE", "TIMESTAMP"), "time"),
)


def region_of(condition: exp.Expr, kinds: Kinds) -> Region:
    """Read a condition."""
    match condition:
        case exp.Paren():
            return region_of(condition.this, kinds)
        case exp.Boolean():
            return Region(({},) if condition.this else (), exact=True)
        case exp.And():
            left, right = region_of(condition.this, kinds), region_of(condition.expression, kinds)
            both = [box for a in left.boxes for b in right.boxes if (box := meet(a, b)) is not None]
            return _bounded(both, left.exact and right.exact)
        case exp.Or():
            left, right = region_of(condition.this, kinds), region_of(condition.expression, kinds)
            return _bounded([*left.boxes, *right.boxes], left.exact and right.exact)
        case exp.Not(this=exp.Is(this=exp.Column() as column, expression=exp.Null())):
            return Region(({_name(column): ~_ONLY_NULL},), exact=True)
        case exp.Is(this=exp.Column() as column, expression=exp.Null()):
            return Region(({_name(column): _ONLY_NULL},), exact=True)
        case _:
            atom = _atom(condition, kinds)
            return Region(({},), exact=False) if atom is None else Region((atom,), exact=True)


def meet(left: Box, right: Box) -> Box | None:
    """The rows in both boxes; None when there are none."""
    both = dict(left)
    for key, allowed in right.items():
        narrowed = both.get(key, EVERYTHING) & allowed
        if not narrowed:
            return None
        both[key] = narrowed
    return both


def without(boxes: Iterable[Box], taken: Box) -> list[Box]:
    """What is left of boxes when another one is taken out of them."""
    left: list[Box] = []
    for box in boxes:
        if meet(box, taken) is None:
            left.append(box)
            continue
        rest = dict(box)
        for key, allowed in taken.items():
            own = rest.get(key, EVERYTHING)
            outside = own & ~allowed
            if outside:
                left.append({**rest, key: outside})
            rest[key] = own & allowed
    return left


_ONLY_NULL = Allowed((), null=True)


def _atom(node: exp.Expr, kinds: Kinds) -> Box | None:
    """A comparison of a column with literals as a box."""
    match node:
        case exp.Between(this=exp.Column() as column):
            kind = kinds.get(_name(column))
            low, high = _value(node.args["low"], kind), _value(node.args["high"], kind)
            if low is None or high is None:
                return None
            found = _meet(((low, 0), None), (None, (high, 1)))
            return _box(column, [found] if found else [])
        case exp.In(this=exp.Column() as column) if node.expressions:
            values = [_value(one, kinds.get(_name(column))) for one in node.expressions]
            if any(one is None for one in values):
                return None
            return _box(column, [((one, 0), (one, 1)) for one in sorted(set(values))])
        case exp.EQ() | exp.NEQ() | exp.LT() | exp.LTE() | exp.GT() | exp.GTE():
            column, other, kind = node.this, node.expression, type(node)
            if not isinstance(column, exp.Column):
                column, other, kind = other, column, _TURNED[kind]
            if not isinstance(column, exp.Column):
                return None
            value = _value(other, kinds.get(_name(column)))
            return None if value is None else _box(column, _intervals(kind, value))
        case _:
            return None


_TURNED: Mapping[type[exp.Expr], type[exp.Expr]] = {
    exp.EQ: exp.EQ,
    exp.NEQ: exp.NEQ,
    exp.LT: exp.GT,
    exp.GT: exp.LT,
    exp.LTE: exp.GTE,
    exp.GTE: exp.LTE,
}


def _intervals(kind: type[exp.Expr], value: Any) -> list[tuple[Cut, Cut]]:
    before, after = (value, 0), (value, 1)
    by_kind: dict[type[exp.Expr], list[tuple[Cut, Cut]]] = {
        exp.EQ: [(before, after)],
        exp.NEQ: [(None, before), (after, None)],
        exp.LT: [(None, before)],
        exp.LTE: [(None, after)],
        exp.GT: [(after, None)],
        exp.GTE: [(before, None)],
    }
    return by_kind[kind]


def _box(column: exp.Column, intervals: list[tuple[Cut, Cut]]) -> Box:
    return {_name(column): Allowed(tuple(intervals), null=False)}


def _value(node: exp.Expr, kind: str | None) -> Any:
    """A literal as a value of a column's kind; None for anything else."""
    if isinstance(node, exp.Paren | exp.Cast):
        return _value(node.this, kind)
    if isinstance(node, exp.Neg):
        inner = _value(node.this, kind)
        return -inner if isinstance(inner, Decimal) else None
    if not isinstance(node, exp.Literal):
        return None
    try:
        match kind:
            case "number":
                return Decimal(node.name)
            case "text":
                return node.name if node.is_string else None
            case "time":
                moment = datetime.fromisoformat(node.name)
                return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
            case _:
                return None
    except (InvalidOperation, ValueError):
        return None


def _name(column: exp.Column) -> str:
    return ".".join(part.name.lower() for part in column.parts)


def _meet(left: tuple[Cut, Cut], right: tuple[Cut, Cut]) -> tuple[Cut, Cut] | None:
    lows = [one for one in (left[0], right[0]) if one is not None]
    highs = [one for one in (left[1], right[1]) if one is not None]
    low, high = max(lows, default=None), min(highs, default=None)
    return None if low is not None and high is not None and low >= high else (low, high)


def _bounded(boxes: list[Box], exact: bool) -> Region:
    if len(boxes) > MOST_BOXES:
        return Region(({},), exact=False)
    return Region(tuple(boxes), exact)
