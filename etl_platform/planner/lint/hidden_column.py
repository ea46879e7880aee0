"""A column inside of a function, where the column itself would leave out files."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from etl_platform.planner.advice.blocks import Block, own_columns
from etl_platform.planner.lint.finding import Finding, Statement, finding
from etl_platform.planner.text import shown
from etl_platform.planner.weakening import Typed, Weakening, is_constant

CODE = "hidden-column"
_TEXTS = (exp.Substring, exp.Left)
_ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Div)
_COMPARISONS = (exp.EQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Between, exp.In)


def hidden_column(statement: Statement) -> Iterator[Finding]:
    """``strftime(day, '%Y') = '2013'``: every file is read, since bounds are those of ``day``.

    Applies to casts, formatted times, arithmetic, prefixes and LIKE that begins with a wildcard,
    over one column of a table of several files that can be told apart by that column: it is a
    partition column, or the files' ranges hardly overlap.

    Does not apply to what pruning understands (year, date_trunc, CAST to DATE, plus a number), and
    to functions without a condition on the column itself that says the same.
    """
    for block in statement.blocks:
        for condition in block.conditions():
            found = _hidden(condition)
            if found is None:
                continue
            column, fix = found
            table = statement.known(_own_table(block, column))
            name = column.name.lower()
            if table is None or name not in table.columns or not table.apart(name):
                continue
            if _understood(block, condition, column, table.columns[name]):
                continue
            if any(_on_column(other, column) for other in block.conditions()):
                continue
            yield finding(
                CODE,
                "note",
                condition,
                f"{shown(condition)} leaves out no file of {table.name}, since it hides "
                f"{column.name}, by which its {table.files_total} files differ",
                fix,
            )


def _own_table(block: Block, column: exp.Column):  # noqa: ANN202 - TableName or None
    item = block.items.get(column.table)
    return None if item is None else item.table


def _hidden(condition: exp.Expr) -> tuple[exp.Column, str] | None:
    """The column that a condition hides, and what to write instead."""
    if isinstance(condition, exp.Like) and type(condition.this) is exp.Column:
        pattern = condition.expression
        if isinstance(pattern, exp.Literal) and pattern.name[:1] in ("%", "_"):
            return condition.this, "begin the pattern with letters, or add a range of the column"
        return None
    if not isinstance(condition, _COMPARISONS) or condition.args.get("query") is not None:
        return None
    sides = [condition.this, condition.args.get("expression")]
    if isinstance(condition, exp.Between):
        sides = [condition.this]
    for side, other in zip(sides, sides[::-1], strict=True):
        if side is None or type(side) is exp.Column:
            continue
        if other is not None and other is not side and not is_constant(other):
            continue
        columns = list(own_columns(side))
        if len(columns) == 1 and (fix := _fix(side, columns[0])) is not None:
            return columns[0], fix
    return None


def _fix(side: exp.Expr, column: exp.Column) -> str | None:
    name = column.name
    inner = side.this
    if isinstance(side, exp.TimeToStr):
        return f"compare {name} with a range: {name} >= ... AND {name} < ..."
    if isinstance(side, _TEXTS) and inner is column:
        return f"write {name} LIKE 'prefix%'"
    if type(side) is exp.Cast and inner is column:
        return f"compare {name} itself, with a constant of its own type"
    if isinstance(side, _ARITHMETIC) and column in (inner, side.expression):
        return f"bring the arithmetic to the other side, so that {name} stands alone"
    return None


def _understood(block: Block, condition: exp.Expr, column: exp.Column, kind: str) -> bool:
    def resolve(other: exp.Column) -> Typed | None:
        return Typed(column.name, kind) if other == column else None

    return Weakening(resolve).of(condition) is not None


def _on_column(condition: exp.Expr, column: exp.Column) -> bool:
    """Whether a condition compares the column itself."""
    return isinstance(condition, _COMPARISONS) and column in (
        condition.this,
        condition.args.get("expression"),
    )
