"""What a policy's view leaves as it is: only there may a query's filters choose files."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from etl_platform.core.names import TableName
from etl_platform.planner.conditions import Condition
from etl_platform.planner.parsing import parse
from etl_platform.planner.references import references
from etl_platform.planner.weakening import Typed

ROWS = TableName("main", "_rows")
"""Stands in a view for the relation that it is made over."""


def seen_unchanged(view: exp.Query, name: str) -> bool:
    """Whether a column of ``ROWS`` comes out of a view under its own name and with its values."""
    query: exp.Expr = view
    while True:
        if isinstance(query, exp.Subquery):
            query = query.this
            continue
        if not isinstance(query, exp.Select) or query.args.get("joins"):
            return False
        found = [p for p in query.selects if p.alias_or_name.lower() == name]
        star = [p for p in query.selects if isinstance(p, exp.Star)]
        if len(found) + len(star) != 1:
            return False
        if star and any(star[0].args.values()):
            return False
        if found:
            column = found[0].unalias()
            if type(column) is not exp.Column or column.name.lower() != name:
                return False
        from_ = query.args.get("from_")
        if not isinstance(from_, exp.From):
            return False
        if isinstance(from_.this, exp.Table):
            return from_.this.name == ROWS.name
        query = from_.this


def view_columns(view_sql: str, columns: Mapping[str, str]) -> dict[str, Typed | None]:
    """Lower-case name to column for those seen unchanged, None for the others."""
    view = parse(view_sql)
    return {
        name.lower(): Typed(name, kind) if seen_unchanged(view, name.lower()) else None
        for name, kind in columns.items()
    }


def view_conditions(view_sql: str, columns: Mapping[str, str]) -> list[Condition]:
    """What the rows of the table have to fulfil to be seen at all."""
    typed = {name.lower(): Typed(name, kind) for name, kind in columns.items()}
    found = references(parse(view_sql), {ROWS: typed}).get(ROWS, [])
    return found[0].conditions if len(found) == 1 else []
