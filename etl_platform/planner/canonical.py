"""When two texts are one question: alike but for comments, white space and the case of keywords."""

from __future__ import annotations

from sqlglot.dialects.duckdb import DuckDB
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import TokenType

_KEYWORDS = frozenset(
    {
        TokenType.SELECT,
        TokenType.FROM,
        TokenType.WHERE,
        TokenType.GROUP_BY,
        TokenType.ORDER_BY,
        TokenType.HAVING,
        TokenType.JOIN,
        TokenType.INNER,
        TokenType.CROSS,
        TokenType.ON,
        TokenType.USING,
        TokenType.AND,
        TokenType.OR,
        TokenType.NOT,
        TokenType.IN,
        TokenType.IS,
        TokenType.NULL,
        TokenType.LIKE,
        TokenType.BETWEEN,
        TokenType.ALIAS,
        TokenType.UNION,
        TokenType.ALL,
        TokenType.DISTINCT,
        TokenType.WITH,
        TokenType.CASE,
        TokenType.WHEN,
        TokenType.THEN,
        TokenType.ELSE,
        TokenType.END,
        TokenType.LIMIT,
        TokenType.ASC,
        TokenType.DESC,
    }
)


def canonical(sql: str) -> str:
    """A form that two DuckDB texts share only if they ask the same.

    It is made of the tokens, not of a tree: a tree leaves out what its parser does not know, and
    two different questions would become one. Names keep their case, which DuckDB shows in results.

    >>> canonical("select  A -- all" + chr(10) + "from t") == canonical("SELECT A FROM t")
    True
    >>> canonical("select 'A' from t") == canonical("select 'a' from t")
    False
    """
    try:
        tokens = DuckDB().tokenize(sql)
    except SqlglotError:
        return sql
    return "\n".join(
        f"{token.token_type.name} "
        + (
            " ".join(token.text.upper().split())
            if token.token_type in _KEYWORDS
            else repr(token.text)
        )
        for token in tokens
    )
