"""Text to tree: exactly one SELECT, and where in the text something stands."""

from __future__ import annotations

import logging

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError

from etl_platform.core.errors import PermanentError, QueryRefused

# sqlglot says on its logger that it keeps an unknown statement as raw text; parse() refuses those
# with an error of its own.
logging.getLogger("sqlglot").setLevel(logging.ERROR)

_CHANGES_SOMETHING = (
    exp.DDL,
    exp.Insert,
    exp.Update,
    exp.Delete,
    exp.Merge,
    exp.Copy,
    exp.Command,
    exp.Into,
    exp.Describe,
    exp.Summarize,
    exp.Show,
    exp.Lock,
)


def parse(sql: str, dialect: str = "duckdb", *, where: str | None = None) -> exp.Query:
    """Parse exactly one SELECT (CTEs and set operations included) of any sqlglot dialect.

    Args:
        sql: the text; comments before, in and after the statement are fine.
        dialect: the dialect of the text.
        where: the file that the text comes from, for error messages.

    Raises:
        PermanentError: the text is not SQL, with ``file:line:column``.
        QueryRefused: it is no statement, several, or something other than a SELECT.
    """
    try:
        statements = [tree for tree in sqlglot.parse(sql, dialect=dialect) if tree is not None]
    except ParseError as error:
        raise _syntax_error(error, where) from error
    except SqlglotError as error:
        raise PermanentError(f"{where or 'SQL'}: {error}") from error
    except RecursionError as error:
        raise QueryRefused(
            f"{where or 'SQL'}: the statement is nested too deeply",
            fix="split it with WITH, or into several models",
        ) from error
    if len(statements) != 1:
        raise QueryRefused(
            f"{where or 'SQL'}: found {len(statements)} statements", valid="exactly one SELECT"
        )
    tree = statements[0]
    if not isinstance(tree, exp.Select | exp.SetOperation | exp.Subquery):
        raise _not_a_select(tree, where)
    change = tree.find(*_CHANGES_SOMETHING)
    if change is not None:
        raise _not_a_select(change, where)
    return tree


def place(node: exp.Expr | None, where: str | None = None) -> str:
    """Where a node's name stands, as ``file:line:column`` counted from 1."""
    line, column = line_and_column(node)
    return f"{where or 'SQL'}:{line}:{column}" if line else (where or "SQL")


def line_and_column(node: exp.Expr | None) -> tuple[int, int]:
    """Line and column of a node's first named token; ``(0, 0)`` when the parser did not keep it."""
    if isinstance(node, exp.Table):
        node = node.parts[0]
    for name in node.find_all(exp.Identifier) if node is not None else ():
        meta = name.meta
        if "line" in meta:
            # The tokenizer counts the column of a token's last character.
            return meta["line"], meta["col"] - (meta["end"] - meta["start"])
    return 0, 0


def place_of_byte(sql: str, offset: int, where: str | None = None) -> str:
    """Where a byte of the UTF-8 text stands (DuckDB counts bytes), as ``file:line:column``."""
    before = sql.encode()[:offset].decode(errors="ignore")
    line = before.count("\n") + 1
    column = len(before) - (before.rfind("\n") + 1) + 1
    return f"{where or 'SQL'}:{line}:{column}"


def _syntax_error(error: ParseError, where: str | None) -> PermanentError:
    first = error.errors[0] if error.errors else {}
    line, token = first.get("line"), str(first.get("highlight") or "")
    if not line:
        return PermanentError(f"{where or 'SQL'}: syntax error: {error}")
    column = max(1, int(first.get("col") or 1) - len(token) + 1)
    description = str(first.get("description") or "unexpected token").rstrip(".")
    if "<class" in description:
        description = "an operand is missing"
    return PermanentError(f"{where or 'SQL'}:{line}:{column}: {description}, near {token!r}")


def _not_a_select(tree: exp.Expr, where: str | None) -> QueryRefused:
    shown = " ".join(tree.sql(dialect="duckdb").split())
    return QueryRefused(
        f"{where or 'SQL'}: {shown[:80]!r} is not a SELECT",
        valid="exactly one SELECT; WITH and UNION are part of it",
    )
