"""Where in a text a SELECT stands, so that all around it stays as it was written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from etl_platform.core.errors import EtlError
from etl_platform.planner.parsing import parse
from etl_platform.planner.rollups.shape import aggregates


@dataclass(frozen=True, slots=True)
class Region:
    """A SELECT that aggregates, and the part of the text that is exactly it."""

    select: exp.Select
    start: int
    end: int

    def of(self, sql: str) -> str:
        """Its text."""
        return sql[self.start : self.end]


def regions(tree: exp.Query, sql: str) -> Iterator[Region]:
    """The whole statement, or each SELECT in parentheses, that aggregates; innermost ones only.

    Args:
        tree: the statement.
        sql: its text in DuckDB's dialect, of which ``tree`` was parsed.
    """
    if isinstance(tree, exp.Select) and aggregates(tree) and not _reads_a_query(tree):
        yield Region(tree, 0, len(sql))
        return
    nested = [s for s in tree.find_all(exp.Select) if s is not tree and aggregates(s)]
    if not nested:
        return
    try:
        tokens = DuckDB().tokenize(sql)
    except SqlglotError:
        return
    pairs = list(_parentheses(tokens))
    for select in nested:
        if not _reads_a_query(select):
            region = _region(select, sql, pairs)
            if region is not None:
                yield region


def spliced(sql: str, changes: list[tuple[Region, str]]) -> str:
    """The text with some of its regions replaced."""
    for region, text in sorted(changes, key=lambda change: -change[0].start):
        sql = sql[: region.start] + text + sql[region.end :]
    return sql


def _reads_a_query(select: exp.Select) -> bool:
    return any(node is not select for node in select.find_all(exp.Select))


def _region(select: exp.Select, sql: str, pairs: list[tuple[int, int]]) -> Region | None:
    places = [i.meta["start"] for i in select.find_all(exp.Identifier) if "start" in i.meta]
    if not places:
        return None
    around = [(a, b) for a, b in pairs if a < min(places) and max(places) < b]
    for start, end in sorted(around, key=lambda pair: pair[1] - pair[0]):
        # Parentheses of an expression inside fail to parse, those around the SELECT are it.
        try:
            if parse(sql[start + 1 : end]) == select:
                return Region(select, start + 1, end)
        except EtlError:
            continue
    return None


def _parentheses(tokens: list[Token]) -> Iterator[tuple[int, int]]:
    """Offsets of each pair whose first word is SELECT or FROM."""
    opened: list[int] = []
    for i, token in enumerate(tokens):
        if token.token_type == TokenType.L_PAREN:
            opened.append(i)
        elif token.token_type == TokenType.R_PAREN and opened:
            first = opened.pop()
            follows = tokens[first + 1].token_type
            if follows in (TokenType.SELECT, TokenType.FROM):
                yield tokens[first].start, token.start
