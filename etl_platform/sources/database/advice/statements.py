"""A workload as text to SELECTs: read-only by parse, each with the text that its author wrote."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError
from sqlglot.tokenizer_core import TokenType

from etl_platform.core.errors import PermanentError, QueryRefused
from etl_platform.sources.database.advice.model import Statement

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlglot.tokenizer_core import Token

_DIALECTS = {"postgresql": "postgres", "mysql": "mysql", "sqlite": "sqlite"}
_LIMIT = 200
_CHANGES = (exp.DDL, exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Copy, exp.Command, exp.Into,
            exp.Lock, exp.Set)  # fmt: skip
# What sqlglot keeps as raw text is refused below, with an error of its own.
logging.getLogger("sqlglot").setLevel(logging.ERROR)


def sqlglot_dialect(kind: str) -> str:
    """Sqlglot's name for a kind of database."""
    return _DIALECTS[kind]


def parse_workload(texts: Iterable[str], kind: str) -> tuple[Statement, ...]:
    """Parse SELECTs in the database's own dialect; a text may hold several, ended by semicolons.

    Raises:
        PermanentError: a text is not SQL of this dialect.
        QueryRefused: there is none, there are more than 200, one is no SELECT, one changes, locks
            or stores something, or one has placeholders.
    """
    every = list(texts)
    if kind == "mysql" and any(mark in text for text in every for mark in ("/*!", "/*M!")):
        raise QueryRefused(
            "the workload has a comment that the server would run (/*! ... */)", fix="take it out"
        )
    found = [part for text in every for part in _split(text, sqlglot_dialect(kind))]
    if not 0 < len(found) <= _LIMIT:
        raise QueryRefused(
            f"the workload has {len(found)} statements", valid=f"1 to {_LIMIT} SELECTs"
        )
    return tuple(_statement(number, text, kind) for number, text in enumerate(found, 1))


def _split(text: str, dialect: str) -> Iterator[str]:
    """By tokens, so that a semicolon in a string, a name or a comment ends nothing."""
    try:
        tokens = sqlglot.tokenize(text, dialect=dialect)
    except SqlglotError as error:
        raise PermanentError(f"the workload cannot be read as SQL: {_first(error)}") from None
    part: list[Token] = []
    for token in tokens:
        if token.token_type != TokenType.SEMICOLON:
            part.append(token)
        elif part:
            yield text[part[0].start : part[-1].end + 1]
            part = []
    if part:
        yield text[part[0].start : part[-1].end + 1]


def _statement(number: int, text: str, kind: str) -> Statement:
    try:
        trees = sqlglot.parse(text, dialect=sqlglot_dialect(kind))
    except SqlglotError as error:
        what = f"statement {number} cannot be read as {kind}: {_first(error)}"
        raise PermanentError(what) from None
    except RecursionError:
        raise QueryRefused(f"statement {number} is nested too deeply") from None
    tree = trees[0]
    if (
        len(trees) != 1
        or not isinstance(tree, exp.Select | exp.SetOperation | exp.Subquery)
        or tree.find(*_CHANGES) is not None
    ):
        raise QueryRefused(
            f"statement {number} is not a SELECT that only reads: {text[:80]!r}",
            valid="SELECT, with WITH and UNION; no INTO, no FOR UPDATE",
        )
    if tree.find(exp.Placeholder, exp.Parameter) is not None:
        raise QueryRefused(
            f"statement {number} has placeholders, which no plan can be made for",
            fix="write a typical value in the place of each",
        )
    return Statement(number, text, tree)


def _first(error: SqlglotError) -> str:
    """The first problem, without the colours that sqlglot writes for terminals."""
    if not isinstance(error, ParseError) or not error.errors:
        return " ".join(str(error).split())
    found = error.errors[0]
    return f"line {found['line']}, {found['description']} near {found['highlight']!r}"
