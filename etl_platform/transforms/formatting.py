"""SQL models in one layout: what they mean, their comments and their headers stay."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sqlglot import Dialect, exp

from etl_platform.core.errors import PermanentError
from etl_platform.planner.parsing import parse
from etl_platform.transforms.header import read_header

if TYPE_CHECKING:
    from sqlglot.tokenizer_core import Token

WIDTH = 100
"""Arguments and lists longer than this stand one to a line."""
_ROUNDS = 5


def formatted(text: str, where: str) -> str:
    """A model's text in the layout of sqlglot's printer, in the model's own dialect.

    The header, and all comments before the statement, stay as they are written. Formatting again
    changes nothing.

    Args:
        text: the whole file.
        where: the file's name, for messages.

    Raises:
        PermanentError: it is no SQL, or it cannot be printed without losing a comment or changing
            what it means; then it is to be left as it is.
        ConfigError, UnknownName: the header is wrong.
        QueryRefused: it is not exactly one SELECT.
    """
    dialect = read_header(text, where).header.dialect
    tree = parse(text, dialect, where=where)
    tokens = _tokens(text, dialect)
    above, body = text[: tokens[0].start], text[tokens[0].start :]
    comments, made = _comments(body, dialect), body
    for _ in range(_ROUNDS):
        again = _printed(parse(made, dialect, where=where), dialect)
        if again == made:
            break
        made = again
    else:
        raise _left(where, "its layout would change each time")
    if _without_comments(parse(made, dialect, where=where)) != _without_comments(tree):
        raise _left(where, "sqlglot reads its own text of it as another statement")
    lost = comments - _comments(made, dialect)
    if lost:
        raise _left(where, f"the comment {next(iter(lost))!r} would be lost")
    return f"{above.strip()}\n{made}" if above.strip() else made


def _printed(tree: exp.Query, dialect: str) -> str:
    made = tree.sql(dialect=dialect, pretty=True, max_text_width=WIDTH, normalize_functions=False)
    return made + "\n"


def _without_comments(tree: exp.Query) -> exp.Query:
    copy = tree.copy()
    for node in copy.walk():
        node.comments = None
    return copy


def _tokens(sql: str, dialect: str) -> list[Token]:
    return Dialect.get_or_raise(dialect).tokenize(sql)


def _comments(sql: str, dialect: str) -> Counter[str]:
    """Every comment's words, as often as they stand there."""
    found = (comment for token in _tokens(sql, dialect) for comment in token.comments)
    return Counter(" ".join(comment.split()) for comment in found)


def _left(where: str, why: str) -> PermanentError:
    return PermanentError(
        f"{where} cannot be formatted: {why}", fix="write that part in another way, or leave it so"
    )
