"""A condition that drops the rows that LEFT JOIN was written to keep."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from etl_platform.planner.advice.blocks import Block
from etl_platform.planner.lint.finding import Finding, Statement, finding
from etl_platform.planner.text import shown

CODE = "outer-join-undone"
_REJECT_NULL = (
    *(exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE),
    *(exp.Between, exp.Like, exp.ILike, exp.In),
)


def outer_join_undone(statement: Statement) -> Iterator[Finding]:
    """A condition in WHERE that is not true for the nulls that LEFT JOIN puts in.

    Does not apply to ``IS NULL``, to conditions with OR or NOT, to columns inside of functions such
    as ``coalesce``, and to conditions in ON, which leave the rows.
    """
    for block in statement.blocks:
        for alias, item in block.items.items():
            if item.side != "LEFT" or item.kind:
                continue
            found = next((c for c in block.where if _rejects(block, c, alias)), None)
            if found is not None:
                yield finding(
                    CODE,
                    "warning",
                    found,
                    f"LEFT JOIN keeps rows without {alias}, and {shown(found)} in WHERE drops them "
                    "again",
                    "move the condition into ON to keep them, or write JOIN",
                )


def _rejects(block: Block, condition: exp.Expr, alias: str) -> bool:
    if not isinstance(condition, _REJECT_NULL) or condition.args.get("query") is not None:
        return False
    sides = [condition.this, condition.args.get("expression")]
    return any(type(side) is exp.Column and side.table == alias for side in sides)
