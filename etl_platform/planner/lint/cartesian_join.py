"""Tables side by side without a condition between them."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp
from sqlglot.optimizer.scope import Scope

from etl_platform.planner.advice.blocks import Block, Item
from etl_platform.planner.lint.finding import Finding, Statement, finding

CODE = "cartesian-join"


def cartesian_join(statement: Statement) -> Iterator[Finding]:
    """Items of FROM that no condition connects, so that every row meets every row.

    Does not apply to CROSS JOIN, which says that it is meant; to items of one row (an aggregate
    without GROUP BY, LIMIT 1, a table bound by its key); to functions, UNNEST and LATERAL.
    """
    for block in statement.blocks:
        groups = _connected(block)
        loose = [group for group in groups if not all(_is_free(statement, block, a) for a in group)]
        if len(loose) > 1:
            order = list(block.items)
            loose.sort(key=lambda group: min(map(order.index, group)))
            first, second = (", ".join(sorted(group, key=order.index)) for group in loose[:2])
            yield finding(
                CODE,
                "warning",
                block.items[min(loose[1], key=order.index)].node,
                f"every row of {first} is joined with every row of {second}: no condition connects "
                "them",
                "add the condition between them, or write CROSS JOIN where it is meant",
            )


def _connected(block: Block) -> list[set[str]]:
    groups = [{alias} for alias in block.items]
    for condition in block.conditions():
        named = {c.table for c in condition.find_all(exp.Column)} & set(block.items)
        together = [group for group in groups if group & named]
        if len(together) > 1:
            groups = [group for group in groups if group not in together]
            groups.append(set[str]().union(*together))
    return groups


def _is_free(statement: Statement, block: Block, alias: str) -> bool:
    """Whether an item may stand alone."""
    item = block.items[alias]
    if item.source is None or item.kind in ("CROSS", "POSITIONAL", "ASOF"):
        return True
    if isinstance(item.source, Scope):
        return _is_one_row(item.source.expression)
    return _is_bound(statement, block, item)


def _is_one_row(query: exp.Expr) -> bool:
    if not isinstance(query, exp.Select):
        return not isinstance(query, exp.SetOperation)
    limit = query.args.get("limit")
    if isinstance(limit, exp.Limit) and limit.expression.name == "1":
        return True
    if query.args.get("from_") is None:
        return True
    return query.args.get("group") is None and any(
        call.find_ancestor(exp.Window) is None
        for output in query.selects
        for call in output.find_all(exp.AggFunc)
    )


def _is_bound(statement: Statement, block: Block, item: Item) -> bool:
    table = statement.known(item.table)
    if table is None:
        return False
    if table.rows is not None and table.rows <= 1:
        return True
    bound = {
        side.name.lower()
        for condition in block.where
        if isinstance(condition, exp.EQ)
        for side, other in (
            (condition.this, condition.expression),
            (condition.expression, condition.this),
        )
        if type(side) is exp.Column and side.table == item.alias and not other.find(exp.Column)
    }
    return table.is_key(bound)
