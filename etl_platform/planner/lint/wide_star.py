"""Every column of a wide table."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from etl_platform.planner.lint.finding import Finding, Statement, finding
from etl_platform.planner.tables import table_name

CODE = "wide-star"
_WIDE = 20


def wide_star(statement: Statement) -> Iterator[Finding]:
    """``SELECT *`` without LIMIT over a table of at least 20 columns: all of them are read.

    Does not apply to stars of inner queries (columns that nobody uses are not read), and with
    LIMIT, which is a look at some rows.
    """
    query = statement.written
    if not isinstance(query, exp.Select) or query.args.get("limit") is not None:
        return
    if not any(isinstance(output, exp.Star) for output in query.selects):
        return
    from_ = query.args.get("from_")
    joins = [join.this for join in query.args.get("joins") or ()]
    for node in [from_.this if isinstance(from_, exp.From) else None, *joins]:
        if not (isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier)):
            continue
        table = statement.known(table_name(node))
        if table is not None and len(table.columns) >= _WIDE:
            yield finding(
                CODE,
                "note",
                node,
                f"* reads all {len(table.columns)} columns of {table.name}",
                "name the columns that are needed",
            )
