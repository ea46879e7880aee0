"""SQL that a contract may hold: one scalar condition over a table's own columns.

sqlglot reads the text, every node and function must be on a list, and sqlglot writes it again with
every name quoted: what DuckDB runs is never the text as it was given. A construct that nobody has
looked at is refused. Functions that depend on the moment, on settings or on chance are not listed:
a batch is scanned several times (count, sample, split), and each scan has to see the same bad rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from etl_platform.quality.allowed_sql import CONDITION_NODES, FUNCTION_NODES, OTHER_FUNCTIONS

if TYPE_CHECKING:
    from sqlglot import exp

MAX_CHARACTERS = 10_000
MAX_TOKENS = 1_000
MAX_DEPTH = 40


class ExpressionError(ValueError):
    """A text that a contract may not hold; says what was found and what is valid."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition over a row.

    Attributes:
        sql: DuckDB SQL with every name quoted, in parentheses.
        columns: the columns that it reads, in order of appearance.
    """

    sql: str
    columns: tuple[str, ...]


@lru_cache(maxsize=4096)
def parse_condition(text: str) -> Condition:
    """Read one scalar condition.

    >>> parse_condition("price * quantity <= total and kind in ('a', 'b')").columns
    ('price', 'quantity', 'total', 'kind')

    Raises:
        ExpressionError: not one expression; longer than 10,000 characters or 1,000 tokens or nested
            deeper than 40; a subquery, aggregate, window or star; a function that is not listed.
    """
    tree = parsed(text)
    refuse_unlisted(tree, lambda name: name in CONDITION_NODES, _condition_hint)
    columns = list[str]()
    for node in tree.dfs():
        if type(node).__name__ == "Alias":
            raise ExpressionError(f"'AS {node.alias}' names a value, a condition needs none")
        if type(node).__name__ == "Column":
            if node.args.get("table") is not None:
                raise ExpressionError(
                    f"'{node.sql('duckdb')}' has a dot: write the name of a column of this table "
                    "alone; a field of a structure is column['field']"
                )
            if node.name not in columns:
                columns.append(node.name)
    if not columns:
        raise ExpressionError("no column is read, so the result is the same for every row")
    return Condition(f"({tree.sql('duckdb', identify=True, comments=False)})", tuple(columns))


def parsed(text: str) -> exp.Expr:
    """The one statement or expression of a text as sqlglot's tree, within bounds."""
    import sqlglot
    from sqlglot.errors import SqlglotError

    _bounded(text)
    try:
        trees = [tree for tree in sqlglot.parse(text, dialect="duckdb") if tree is not None]
    except (SqlglotError, RecursionError, ValueError) as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ExpressionError(f"cannot be read as SQL: {why}") from error
    if len(trees) != 1:
        found = f"{len(trees)} statements" if trees else "nothing but space and comments"
        raise ExpressionError(f"{found}, one expression or query is needed")
    _shallow(trees[0])
    return trees[0]


def refuse_unlisted(
    tree: exp.Expr, listed: Callable[[str], bool], hint: Callable[[str], str]
) -> None:
    """Refuse a tree with a node or function that is not on the list.

    Raises:
        ExpressionError: naming the construct, with ``hint`` of its node's name.
    """
    from sqlglot import exp

    for node in tree.walk():
        name = type(node).__name__
        if isinstance(node, exp.Anonymous):
            if str(node.this).lower() in OTHER_FUNCTIONS:
                continue
        elif name in FUNCTION_NODES or listed(name):
            continue
        if isinstance(node, exp.Func):
            called = str(node.this) if isinstance(node, exp.Anonymous) else node.sql_name()
            valid = sorted({*FUNCTION_NODES.values(), *OTHER_FUNCTIONS})
            raise ExpressionError(
                f"function {called.lower()}() may not be used{hint(name)} "
                f"(valid: {', '.join(valid)})"
            )
        raise ExpressionError(f"{node.key.upper()} may not be used{hint(name)}")


def _condition_hint(name: str) -> str:
    if name in ("Select", "Subquery", "Exists", "Union", "Table"):
        return ": a condition reads its own row; a rule of kind sql may read tables"
    if name in ("CurrentDate", "CurrentTimestamp", "Rand", "Uuid"):
        return ": every scan has to find the same rows; for age there is the rule freshness"
    return ""


def _bounded(text: str) -> None:
    from sqlglot.dialects.duckdb import DuckDB
    from sqlglot.errors import SqlglotError

    if not text.isprintable() and any(0xD800 <= ord(c) <= 0xDFFF for c in text):
        raise ExpressionError("half of a surrogate pair, which is no text")
    if len(text) > MAX_CHARACTERS:
        raise ExpressionError(f"{len(text):,} characters, at most {MAX_CHARACTERS:,} are read")
    try:
        tokens = DuckDB().tokenize(text)
    except (SqlglotError, ValueError) as error:
        raise ExpressionError(f"cannot be read as SQL: {str(error).splitlines()[0]}") from error
    if len(tokens) > MAX_TOKENS:
        raise ExpressionError(
            f"{len(tokens):,} words and signs, at most {MAX_TOKENS:,} are read; a long list of "
            "values belongs in a rule set or not_in_set"
        )
    # Before the parser recurses: an operator in front of its operand nests without parentheses.
    depth = prefixes = 0
    for token in tokens:
        kind = token.token_type.name
        if kind in ("L_PAREN", "L_BRACKET", "L_BRACE", "CASE"):
            depth += 1
        elif kind in ("R_PAREN", "R_BRACKET", "R_BRACE", "END"):
            depth -= 1
        prefixes = prefixes + 1 if kind in ("NOT", "DASH", "PLUS", "TILDE", "AT") else 0
        if max(depth, prefixes) > MAX_DEPTH:
            raise ExpressionError(f"nested deeper than {MAX_DEPTH}")


def _shallow(tree: exp.Expr) -> None:
    pending = [(tree, 1)]
    while pending:
        node, depth = pending.pop()
        if depth > MAX_DEPTH:
            raise ExpressionError(f"nested deeper than {MAX_DEPTH}")
        # A chain (a AND b AND c, 1 + 2 + 3) is deep as a tree, not to its reader.
        pending += [
            (child, depth if type(child) is type(node) else depth + 1)
            for child in node.iter_expressions()
        ]
