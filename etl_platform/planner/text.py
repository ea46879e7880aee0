"""Expressions as people write them."""

from __future__ import annotations

from sqlglot import exp

_LONGEST = 80


def shown(node: exp.Expr) -> str:
    """An expression without quotes, on one line, and cut when it is long."""
    bare = node.copy()
    for name in bare.find_all(exp.Identifier):
        name.set("quoted", None)
    text = " ".join(bare.sql(dialect="duckdb", comments=False, normalize_functions="lower").split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
