"""What a join does to the ways by which rows of its sides reach the output."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sqlglot import exp

from etl_platform.planner.weakening import conjuncts
from etl_platform.transforms.incremental.reach import Name, Visible, name_of

Pair: TypeAlias = tuple[Name, Name]
SameType: TypeAlias = Callable[[Name, Name], bool]
"""Whether equality of two columns is identity of their values: both have one type."""


@dataclass(frozen=True, slots=True)
class Side:
    """What has been joined so far, or one more source: names of the sources, and their reaches."""

    aliases: frozenset[str]
    reaches: tuple[Visible, ...]


def joined(left: Side, right: Side, join: exp.Join, same_type: SameType) -> Side:
    """Both sides' reaches after a join.

    The side whose rows are kept in any case, and both sides of an inner join, keep what they have.
    A row of the other side also decides whether a row of the kept one is filled with nulls: it is
    reached by the columns that the condition makes equal to its own, on the kept side.
    """
    method, side, kind = join.method.upper(), join.side.upper(), join.kind.upper()
    aliases = left.aliases | right.aliases
    known = method in ("", "ASOF") and side in ("", "LEFT", "RIGHT", "FULL")
    known = known and kind in ("", "INNER", "OUTER", "CROSS", "SEMI", "ANTI")
    if not known or join.args.get("using"):
        # With USING left over it is not known whose column a name means.
        why = f"a join that is not understood ({method or kind or 'USING'})"
        return Side(aliases, tuple(v.only({}, why) for v in (*left.reaches, *right.reaches)))
    pairs = equalities(conjuncts(join.args.get("on")), same_type)
    if side == "FULL":
        return Side(aliases, tuple(_merged(v, pairs) for v in (*left.reaches, *right.reaches)))
    if side == "RIGHT":
        optional = tuple(_optional(v, right.aliases, pairs, "a RIGHT JOIN") for v in left.reaches)
        return Side(aliases, (*optional, *right.reaches))
    if kind in ("SEMI", "ANTI"):
        seen = tuple(_optional(v, left.aliases, pairs, f"a {kind} JOIN") for v in right.reaches)
        return Side(left.aliases, (*left.reaches, *seen))
    if method == "ASOF":
        # Which row is the nearest is decided among all with equal keys.
        seen = tuple(_optional(v, left.aliases, pairs, "an ASOF JOIN") for v in right.reaches)
        if side != "LEFT":
            seen = tuple(v.following(pairs) for v in seen)
        return Side(aliases, (*left.reaches, *seen))
    if side == "LEFT":
        seen = tuple(_optional(v, left.aliases, pairs, "a LEFT JOIN") for v in right.reaches)
        return Side(aliases, (*left.reaches, *seen))
    return Side(aliases, tuple(v.following(pairs) for v in (*left.reaches, *right.reaches)))


def equalities(conditions: Sequence[exp.Expr], same_type: SameType) -> list[Pair]:
    """Pairs of columns that a condition makes equal wherever it holds."""
    found: list[Pair] = []
    for condition in conditions:
        if isinstance(condition, exp.EQ | exp.NullSafeEQ):
            pair = name_of(condition.this), name_of(condition.expression)
            if pair[0] and pair[1] and same_type(pair[0], pair[1]):
                found.append((pair[0], pair[1]))
    return found


def _optional(visible: Visible, kept: frozenset[str], pairs: Sequence[Pair], why: str) -> Visible:
    """A side whose rows may be missing, seen through the columns of the side that is kept."""
    names = {
        mine: visible.names[other]
        for left, right in pairs
        for mine, other in ((left, right), (right, left))
        if mine[0] in kept and other[0] not in kept and other in visible.names
    }
    return visible.only(names, why)


def _merged(visible: Visible, pairs: Sequence[Pair]) -> Visible:
    """Of a FULL JOIN only the column remains that both sides are merged into."""
    names = {
        merged(left, right): visible.names[one]
        for left, right in pairs
        for one in (left, right)
        if one in visible.names
    }
    return visible.only(names, "a FULL JOIN")


def merged(left: Name, right: Name) -> Name:
    """The name by which ``coalesce(left, right)`` of a FULL JOIN is known."""
    return f"{left[0]}={right[0]}", f"{left[1]}={right[1]}"
