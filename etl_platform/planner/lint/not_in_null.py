"""One null in a subquery, and NOT IN keeps no row."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from etl_platform.planner.advice.blocks import Block, block_of
from etl_platform.planner.lint.finding import Finding, Statement, finding
from etl_platform.planner.text import shown

CODE = "not-in-null"


def not_in_null(statement: Statement) -> Iterator[Finding]:
    """``x NOT IN (SELECT y ...)`` where the profile has counted nulls in ``y``.

    Does not apply where a condition of the subquery leaves nulls out, and where no profile or
    statistics of the files tell that there are any.
    """
    for block in statement.blocks:
        for scope in block.scope.subquery_scopes:
            query = scope.expression
            around = query.find_ancestor(exp.In, exp.Select)
            if not isinstance(query, exp.Select) or not isinstance(around, exp.In):
                continue
            if around.args.get("query") is None or not isinstance(around.parent, exp.Not):
                continue
            inner = block_of(scope)
            nulls = _nulls(statement, inner, query.selects[0].unalias())
            if nulls:
                yield finding(
                    CODE,
                    "warning",
                    around,
                    f"NOT IN keeps no row at all: {shown(query.selects[0].unalias())} is null in "
                    f"{nulls:,} rows",
                    "add IS NOT NULL to the subquery, or write NOT EXISTS",
                )


def _nulls(statement: Statement, block: Block, output: exp.Expr) -> int:
    if type(output) is not exp.Column or len(block.items) != 1:
        return 0
    table = statement.known(block.items[output.table].table if block.items else None)
    column = table.profile_of(output.name.lower()) if table is not None else None
    for condition in block.where:
        if any(c.name.lower() == output.name.lower() for c in condition.find_all(exp.Column)):
            return 0  # most conditions are not true for nulls
    return column.nulls if column is not None else 0
