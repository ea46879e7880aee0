"""Text to the tree of one expression, or a refusal that says what is not allowed and where."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Literal, TypeAlias

from sqlglot import exp, tokenize
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import TokenType

from etl_platform.core.errors import EtlError, PermanentError, QueryRefused
from etl_platform.planner.parsing import parse
from etl_platform.transforms.expressions.checking import Check
from etl_platform.transforms.expressions.macros import Macro, expand
from etl_platform.transforms.expressions.text import shown
from etl_platform.transforms.expressions.variables import Variable, substitute

Kind: TypeAlias = Literal["row", "aggregate", "window"]
"""What an expression may look at: one row, all rows of a group, or rows beside its own."""

LONGEST = 4_000
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_TEMPLATE = re.compile(r"\{\{|\{%|\$\{")


def expression(
    text: str,
    columns: Collection[str],
    *,
    where: str,
    kind: Kind = "row",
    variables: Mapping[str, Variable] | None = None,
    macros: Mapping[str, Macro] | None = None,
) -> exp.Expr:
    """Read one expression in DuckDB's dialect.

    Args:
        text: what a user wrote; ``$name`` is a variable.
        columns: the names that it may use; with their DuckDB types, fields of structs are checked.
        where: file, line and option, for error messages.
        kind: ``row`` allows no aggregate and no window, ``aggregate`` no window.

    Raises:
        UnknownName: a column, function, type or variable does not exist, with the nearest one.
        QueryRefused: something that an expression may not do: read a table, a file or a setting,
            contain a query, or make a value without bound.
        PermanentError: no SQL, with the reason.
    """
    known = dict(macros or {})
    tree = filled(_parsed(text, where), variables or {}, known, where=where)
    Check(text, columns, where, kind, known).tree(tree)
    return tree


def filled(
    tree: exp.Expr,
    variables: Mapping[str, Variable],
    macros: Mapping[str, Macro],
    *,
    where: str,
) -> exp.Expr:
    """A copy of a tree with the values of variables and the bodies of macros in their places.

    Raises:
        UnknownName: there is no such variable.
        PermanentError: a macro that is no expression, is called wrongly, or grows without bound.
    """
    tree = substitute(tree, variables, where=where)
    if not macros:
        return tree
    bodies = {
        name: (one, substitute(_parsed(one.body, at), variables, where=at))
        for name, one in macros.items()
        for at in [f"{where}: macro {name}"]
    }
    return expand(tree, bodies, where=where)


def _parsed(text: str, where: str) -> exp.Expr:
    _look_at_text(text, where)
    # On a line of its own, so that a comment at its end does not swallow the parenthesis.
    try:
        select = parse(f"SELECT (\n{text}\n)")
    except QueryRefused as error:
        raise QueryRefused(
            f"{where}: {shown(text)} is not an expression: {error.what.removeprefix('SQL: ')}",
            valid="one expression over the columns",
        ) from None
    except EtlError as error:
        reason = re.sub(r"^SQL(:\d+:\d+)?: ", "", error.what)
        raise PermanentError(f"{where}: {shown(text)} is not an expression: {reason}") from None
    only = select.args.get("expressions") or []
    clauses = [name for name, value in select.args.items() if value and name != "expressions"]
    if len(only) != 1 or not isinstance(only[0], exp.Paren) or clauses:
        raise QueryRefused(
            f"{where}: {shown(text)} is more than an expression",
            valid="one expression over the columns, without FROM, WHERE or a second one",
        )
    inner = only[0].this
    inner.pop()
    for node in inner.walk():
        node.comments = None
    return inner


def _look_at_text(text: str, where: str) -> None:
    """Refuse what does not have to be parsed for that, and could cost more than it is worth."""
    if len(text) > LONGEST:
        raise QueryRefused(
            f"{where}: the expression has {len(text):,} characters", valid=f"at most {LONGEST:,}"
        )
    if not text.strip():
        raise PermanentError(f"{where}: the expression is empty", valid="one expression")
    control = _CONTROL.search(text)
    if control is not None:
        raise QueryRefused(
            f"{where}: the expression contains the control character {control[0]!r}",
            valid="printable characters",
        )
    try:
        tokens = tokenize(text, dialect="duckdb")
    except SqlglotError as error:
        reason = str(error).splitlines()[0]
        raise PermanentError(f"{where}: {shown(text)} is not an expression: {reason}") from None
    depth = 0
    for token in tokens:
        if token.token_type is TokenType.SEMICOLON:
            raise QueryRefused(
                f"{where}: {shown(text)} is more than one statement", valid="one expression"
            )
        depth += (token.text in _OPENING) - (token.text in _CLOSING)
        if depth < 0:
            raise QueryRefused(
                f"{where}: {shown(text)} closes a parenthesis that it did not open",
                valid="one expression over the columns",
            )
    bare = "".join(" " if t.token_type is TokenType.STRING else t.text for t in tokens)
    if _TEMPLATE.search(bare):
        raise QueryRefused(
            f"{where}: {shown(text)} holds a template", valid="$name, for a variable's value"
        )


_OPENING, _CLOSING = frozenset("(["), frozenset(")]")
