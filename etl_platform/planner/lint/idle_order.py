"""ORDER BY of a derived table, which nobody sees."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from etl_platform.planner.lint.finding import Finding, Statement, finding

CODE = "idle-order"
_SEES_ORDER = (
    *(exp.ArrayAgg, exp.GroupConcat, exp.First, exp.Last, exp.AnyValue, exp.Window),
    *(exp.AnonymousAggFunc, exp.Anonymous),
)


def idle_order(statement: Statement) -> Iterator[Finding]:
    """ORDER BY without LIMIT in a derived table whose rows are joined, grouped or ordered again.

    Does not apply where the order goes through to the result, or to a function that sees it
    (``list``, ``string_agg``, ``first``, windows), nor to CTEs, which several may read.
    """
    for order in statement.written.find_all(exp.Order):
        query = order.parent
        if not isinstance(query, exp.Select) or _keeps(query):
            continue
        derived = query.parent
        outer = derived.parent if isinstance(derived, exp.Subquery) else None
        select = outer.parent if isinstance(outer, exp.From | exp.Join) else None
        if not isinstance(select, exp.Select) or select.find(*_SEES_ORDER) is not None:
            continue
        if any(select.args.get(part) for part in ("joins", "group", "order", "distinct")) or any(
            output.find(exp.AggFunc) for output in select.selects
        ):
            yield finding(
                CODE,
                "note",
                order,
                "rows are sorted, and the order is lost in the query around: nothing keeps it",
                "leave this ORDER BY out",
            )


def _keeps(query: exp.Select) -> bool:
    distinct = query.args.get("distinct")
    return any(query.args.get(part) for part in ("limit", "offset")) or (
        distinct is not None and distinct.args.get("on") is not None
    )
