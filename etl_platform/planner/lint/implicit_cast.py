"""Texts compared with numbers or dates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

from sqlglot import exp

from etl_platform.planner.advice.blocks import Block
from etl_platform.planner.lint.finding import Finding, Statement, finding
from etl_platform.planner.text import shown

CODE = "implicit-cast"
_COMPARISONS = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.In, exp.Between)
_Family: TypeAlias = Literal["text", "number", "date or time"]
_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL")


def implicit_cast(statement: Statement) -> Iterator[Finding]:
    """A text column compared with a number, or with a column of numbers or dates.

    DuckDB casts every value of the text column: one that is no number ends the query with an
    error, no file is left out, and ``'010'`` equals 10.

    Does not apply to a number or date column compared with a text literal: the literal is cast,
    once.
    """
    for block in statement.blocks:
        for condition in block.select.find_all(*_COMPARISONS):
            if condition.find_ancestor(exp.Select) is not block.select:
                continue
            left = condition.this
            others = [condition.args.get(part) for part in ("expression", "low", "high")]
            for right in [*others, *condition.expressions]:
                if isinstance(right, exp.Expr):
                    found = _cast(statement, block, left, right)
                    if found is not None:
                        yield found
                        break


def _cast(statement: Statement, block: Block, left: exp.Expr, right: exp.Expr) -> Finding | None:
    for text, other in ((left, right), (right, left)):
        family = _family(statement, block, other)
        if type(text) is not exp.Column or _family(statement, block, text) != "text":
            continue
        if family not in ("number", "date or time"):
            continue
        literal = isinstance(other, exp.Literal | exp.Neg)
        return finding(
            CODE,
            "warning",
            text,
            f"{shown(text)} is text and {shown(other)} is a {family}: every value is cast, and one "
            "that cannot be ends the query",
            f"write '{shown(other)}'" if literal else "cast one side, with TRY_CAST",
        )
    return None


def _family(statement: Statement, block: Block, node: exp.Expr) -> _Family | None:
    if isinstance(node, exp.Neg):
        node = node.this
    if isinstance(node, exp.Literal):
        return None if node.is_string else "number"
    if type(node) is not exp.Column:
        return None
    origin = block.origin(node)
    table = statement.known(origin[0]) if origin is not None else None
    kind = table.columns.get(origin[1], "") if table is not None and origin is not None else ""
    if kind == "VARCHAR":
        return "text"
    if kind.startswith(_NUMBERS) and "[" not in kind:
        return "number"
    return "date or time" if kind.startswith(("DATE", "TIMESTAMP")) else None
