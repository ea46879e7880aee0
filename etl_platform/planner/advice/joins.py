"""In which order the items of a FROM are likely to meet, and how many rows come of it."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from etl_platform.planner.advice.blocks import Block
from etl_platform.planner.advice.operators import Rows, distinct
from etl_platform.planner.advice.selectivity import share, shares
from etl_platform.planner.text import shown


def joined(block: Block, items: Mapping[str, Rows]) -> Rows:
    """The rows of FROM and WHERE: items are filtered first, then joined, smallest result first.

    Inner joins may come in any order, as DuckDB chooses it; with an outer, semi or anti join the
    order is that of the text.
    """
    free = all(not item.side and item.kind in ("", "CROSS") for item in block.items.values())
    pending = (
        [c for c in block.conditions() if c.find(exp.Query) is None]
        if free
        else [c for c in block.where if c.find(exp.Query) is None]
    )
    left = dict(items)
    for alias in left:
        if block.is_outer(alias):
            continue
        own = [c for c in pending if block.aliases(c) == frozenset({alias})]
        left[alias] = filtered(left[alias], own)
        pending = [c for c in pending if c not in own]
    order = list(left)
    first = min(left, key=lambda alias: left[alias].count) if free else order[0]
    rows, seen = left.pop(first), {first}
    while left:
        alias = _next(block, rows, left, seen, pending) if free else next(iter(left))
        item = block.items[alias]
        between = pending if free else list(item.on)
        seen.add(alias)
        ready = [c for c in between if alias in block.aliases(c) and block.aliases(c) <= seen]
        rows = _join(rows, left.pop(alias), ready, " ".join(filter(None, (item.side, item.kind))))
        pending = [c for c in pending if c not in ready]
        later = [c for c in pending if block.aliases(c) and block.aliases(c) <= seen]
        rows = filtered(rows, later)
        pending = [c for c in pending if c not in later]
    return filtered(rows, pending)


def filtered(rows: Rows, conditions: list[exp.Expr]) -> Rows:
    """The rows for which all conditions hold."""
    if not conditions:
        return rows
    kept = shares(conditions, lambda column: rows.values(column.table, column.name))
    count = rows.count * kept
    if rows.operator.rows is not None:
        count = min(count, float(rows.operator.rows))  # files left out are rows left out
    return rows.then("filter", " AND ".join(map(shown, conditions)), count)


def _next(
    block: Block, rows: Rows, left: Mapping[str, Rows], seen: set[str], pending: list[exp.Expr]
) -> str:
    """The item that gives the fewest rows, among those that a condition connects."""

    def size(alias: str) -> tuple[bool, float]:
        ready = [
            c for c in pending if alias in block.aliases(c) and block.aliases(c) <= seen | {alias}
        ]
        return not ready, _count(rows, left[alias], ready)

    return min(left, key=size)


def _join(left: Rows, right: Rows, conditions: list[exp.Expr], kind: str) -> Rows:
    count = _count(left, right, conditions)
    side, _, _ = kind.partition(" ")
    if kind in ("SEMI", "ANTI"):
        matched = min(left.count, count)
        count = matched if kind == "SEMI" else max(0.0, left.count - matched)
    elif side == "LEFT":
        count = max(count, left.count)
    elif side == "RIGHT":
        count = max(count, right.count)
    elif side == "FULL":
        count = max(count, left.count, right.count)
    detail = f"on {' AND '.join(map(shown, conditions))}" if conditions else "of all with all"
    name = f"{kind.lower()} join".strip() if kind != "CROSS" else "cross join"
    return left.then(name, detail, count, right)


def _count(left: Rows, right: Rows, conditions: list[exp.Expr]) -> float:
    """Pairs that fulfil all conditions.

    Equalities of several columns cannot tell more pairs apart than the smaller side has rows: keys
    of several columns would otherwise be counted as if their columns were independent.
    """
    apart, others = 1.0, 1.0
    for condition in conditions:
        counts = _counts(condition, left, right)
        if counts is not None:
            apart *= max(counts)
        else:
            others *= share(condition, lambda c: left.values(c.table, c.name))
    most = max(1.0, left.count, right.count)
    return left.count * right.count / max(1.0, min(apart, most)) * others


def _counts(condition: exp.Expr, left: Rows, right: Rows) -> tuple[float, float] | None:
    """The distinct values of both sides of an equality, if each belongs to one side of the join."""
    if not isinstance(condition, exp.EQ):
        return None
    found: list[float] = []
    for side in (condition.this, condition.expression):
        columns = list(side.find_all(exp.Column))
        rows = next(
            (
                rows
                for rows in (left, right)
                if columns and all(rows.values(c.table, c.name) is not None for c in columns)
            ),
            None,
        )
        if rows is None:
            return None
        found.append(distinct(side, rows))
    return found[0], found[1]
