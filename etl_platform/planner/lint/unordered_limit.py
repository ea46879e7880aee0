"""LIMIT without ORDER BY, where the choice shows."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from etl_platform.planner.lint.finding import Finding, Statement, finding

CODE = "unordered-limit"


def unordered_limit(statement: Statement) -> Iterator[Finding]:
    """LIMIT over groups, or inside of a larger statement, without ORDER BY: any rows may come.

    Does not apply to a look at some rows of tables (an outermost SELECT without GROUP BY), to
    EXISTS, to LIMIT 0, to one row of an aggregate, and to what was ordered right below.
    """
    for limit in statement.written.find_all(exp.Limit):
        query = limit.parent
        if isinstance(query, exp.Subquery) and isinstance(query.this, exp.Select):
            query = query.this if not query.this.args.get("limit") else query
        if not isinstance(query, exp.Select) or query.args.get("order") is not None:
            continue
        if limit.expression.name == "0" or isinstance(query.parent, exp.Exists):
            continue
        if query.parent is not None and query.find_ancestor(exp.Exists) is query.parent:
            continue
        grouped = query.args.get("group") is not None
        if not grouped and (query is statement.written or _one_row(query)):
            continue
        if _ordered_below(query):
            continue
        yield finding(
            CODE,
            "note",
            query,
            f"which {'groups' if grouped else 'rows'} LIMIT {limit.expression.name} keeps is left "
            "to chance: there is no ORDER BY",
            "add ORDER BY before LIMIT",
        )


def _one_row(query: exp.Select) -> bool:
    return any(
        call.find_ancestor(exp.Window, exp.Select) is query
        for output in query.selects
        for call in output.find_all(exp.AggFunc)
    )


def _ordered_below(query: exp.Select) -> bool:
    from_ = query.args.get("from_")
    inner = from_.this if isinstance(from_, exp.From) else None
    return isinstance(inner, exp.Subquery) and inner.this.args.get("order") is not None
