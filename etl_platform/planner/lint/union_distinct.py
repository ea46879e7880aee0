"""UNION where there can be no duplicate."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from etl_platform.planner.lint.finding import Finding, Statement, finding
from etl_platform.planner.text import shown

CODE = "union-distinct"


def union_distinct(statement: Statement) -> Iterator[Finding]:
    """UNION of sides that differ in a constant, each without duplicates of its own.

    All rows are compared to remove duplicates, and none can be there. Does not apply where a side
    may repeat a row itself: then UNION ALL would return more.
    """
    for union in statement.written.find_all(exp.Union):
        left, right = union.this, union.expression
        if not union.args.get("distinct") or union.args.get("by_name"):
            continue
        if not (isinstance(left, exp.Select) and isinstance(right, exp.Select)):
            continue
        if not (_without_duplicates(left) and _without_duplicates(right)):
            continue
        pairs = zip(left.selects, right.selects, strict=False)
        differ = [(a.unalias(), b.unalias()) for a, b in pairs]
        found = next(
            (
                pair
                for pair in differ
                if all(isinstance(side, exp.Literal) for side in pair) and pair[0] != pair[1]
            ),
            None,
        )
        if found is not None:
            yield finding(
                CODE,
                "note",
                union,
                "UNION looks for duplicates, and there can be none: one side has "
                f"{shown(found[0])} where the other has {shown(found[1])}, and neither repeats a "
                "row",
                "write UNION ALL",
            )


def _without_duplicates(select: exp.Select) -> bool:
    distinct = select.args.get("distinct")
    if distinct is not None and distinct.args.get("on") is None:
        return True
    group = select.args.get("group")
    if group is None:
        return bool(select.selects) and all(
            isinstance(output.unalias(), exp.AggFunc | exp.Literal) for output in select.selects
        )
    if any(value for part, value in group.args.items() if part != "expressions"):
        return False
    outputs = [output.unalias() for output in select.selects]
    places = [str(i) for i in range(1, len(outputs) + 1)]
    return all(
        key in outputs or (isinstance(key, exp.Literal) and key.name in places)
        for key in group.expressions
    )
