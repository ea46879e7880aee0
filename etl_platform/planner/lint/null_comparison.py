"""Comparisons with NULL are never true."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from etl_platform.planner.lint.finding import Finding, Statement, finding
from etl_platform.planner.text import shown

CODE = "null-comparison"
_COMPARISONS = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE)


def null_comparison(statement: Statement) -> Iterator[Finding]:
    """``x = NULL``, ``x <> NULL``, ``x NOT IN (1, NULL)``: the answer is unknown for every row.

    Does not apply to ``IS NULL`` and ``IS NOT DISTINCT FROM``, nor to nulls that come from data.
    """
    for node in statement.written.find_all(*_COMPARISONS):
        if any(isinstance(side, exp.Null) for side in (node.this, node.expression)):
            other = node.expression if isinstance(node.this, exp.Null) else node.this
            meant = "IS NULL" if isinstance(node, exp.EQ) else "IS NOT NULL"
            yield finding(
                CODE,
                "warning",
                node,
                f"{shown(node)} is never true, whatever the value",
                f"write {shown(other)} {meant}",
            )
    for node in statement.written.find_all(exp.In):
        negated = isinstance(node.parent, exp.Not)
        if negated and any(isinstance(value, exp.Null) for value in node.expressions):
            yield finding(
                CODE,
                "warning",
                node,
                f"NOT {shown(node)} is never true: no value is known to differ from NULL",
                "leave NULL out of the list",
            )
