"""Sums of values that a join has repeated."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from etl_platform.planner.advice.blocks import Block, own_columns
from etl_platform.planner.lint.finding import Finding, Statement, finding
from etl_platform.planner.text import shown

CODE = "fan-out"


def fan_out(statement: Statement) -> Iterator[Finding]:
    """``sum`` over columns of one table, whose rows a join with another one repeats.

    ``SELECT sum(o.total) FROM orders o JOIN lines l ON l.order_id = o.id`` counts an order once for
    each of its lines. Found from profiles: the other table has fewer distinct values of the join's
    columns (and of those compared with constants) than rows, so that values surely repeat.

    Does not apply where columns of the repeating table are aggregated too, where rows are grouped
    by it, to DISTINCT and conditional counts (``sum(CASE ... THEN 1 ELSE 0 END)``), to averages,
    which are often weighted on purpose, to semi and anti joins, and where no profile tells.
    """
    for block in statement.blocks:
        if len(block.items) < 2:
            continue
        reported: set[tuple[frozenset[str], str]] = set()
        for call in (c for output in block.select.selects for c in output.find_all(exp.Sum)):
            if _counts(call.this) or isinstance(call.parent, exp.Window):
                continue
            of = frozenset(column.table for column in own_columns(call))
            if not of or not of <= set(block.items) or call.this.find(exp.AggFunc) is not None:
                continue
            for alias, columns in _repeating(statement, block, of):
                if (of, alias) not in reported:
                    reported.add((of, alias))
                    yield _finding(block, call, alias, columns)


def _counts(value: exp.Expr) -> bool:
    """Whether a sum counts rows, or looks at each value once."""
    if isinstance(value, exp.Case):
        outcomes = [
            *(branch.args["true"] for branch in value.args["ifs"]),
            value.args.get("default"),
        ]
        return all(outcome is None or not outcome.find(exp.Column) for outcome in outcomes)
    return isinstance(value, exp.Distinct)


def _finding(block: Block, call: exp.Expr, alias: str, columns: list[str]) -> Finding:
    table = block.items[alias].table
    named = str(table) if table is None or table.name == alias else f"{table} {alias}"
    return finding(
        CODE,
        "warning",
        call,
        f"{shown(call)} counts values several times: {named} has several rows for one "
        f"{', '.join(columns)}, and the join repeats the other side for each",
        f"aggregate {alias} to one row per {', '.join(columns)} before joining, or aggregate first "
        "and join then",
    )


def _repeating(
    statement: Statement, block: Block, of: frozenset[str]
) -> Iterator[tuple[str, list[str]]]:
    """The items outside of ``of`` whose join repeats what is reached from there."""
    reached, pending = set(of), True
    while pending:
        pending = False
        for alias, item in block.items.items():
            if alias in reached or item.kind in ("SEMI", "ANTI"):
                continue
            columns = _joined_on(block, alias, reached)
            if not columns:
                continue
            pending = True
            reached.add(alias)
            table = statement.known(item.table)
            bound = [*columns, *_bound(block, alias)]
            if table is not None and table.repeats(bound) and not _grouped(block, alias):
                yield alias, sorted(columns)


def _joined_on(block: Block, alias: str, others: set[str]) -> set[str]:
    """Columns of an item that equal a column of the others; empty when anything else joins them."""
    found: set[str] = set()
    for condition in block.conditions():
        sides = (condition.this, condition.args.get("expression"))
        if not (isinstance(condition, exp.EQ) and all(type(s) is exp.Column for s in sides)):
            if alias in block.aliases(condition) and block.aliases(condition) & others:
                return set()
            continue
        left, right = condition.this, condition.expression
        for mine, other in ((left, right), (right, left)):
            if mine.table == alias and other.table in others:
                found.add(mine.name.lower())
    return found


def _bound(block: Block, alias: str) -> set[str]:
    """Columns of an item about which a condition of its own says something."""
    return {
        column.name.lower()
        for condition in block.conditions()
        if block.aliases(condition) == frozenset({alias})
        for column in own_columns(condition)
    }


def _grouped(block: Block, alias: str) -> bool:
    """Whether groups are told apart by a column of the item: each may hold one of its rows."""
    group = block.select.args.get("group")
    return group is not None and any(
        column.table == alias for key in group.expressions for column in own_columns(key)
    )
