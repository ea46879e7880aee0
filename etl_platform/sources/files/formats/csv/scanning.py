"""Delimited text looked at record by record, strictly: for samples, and for what is wrong where."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from etl_platform.sources.files.models import CsvDialect


@dataclass(frozen=True, slots=True)
class Record:
    """One record.

    Attributes:
        line: on which it begins.
        fields: without quotes.
        quoted: for each field, whether it was.
    """

    line: int
    fields: tuple[str, ...]
    quoted: tuple[bool, ...]


class Damaged(Exception):  # never leaves the package
    """No record of the dialect."""

    def __init__(self, line: int, field: int, reason: str) -> None:
        super().__init__(reason)
        self.line, self.field, self.reason = line, field, reason


@lru_cache(maxsize=64)
def _forms(dialect: CsvDialect) -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    delimiter, quote = re.escape(dialect.delimiter), re.escape(dialect.quote)
    escape = re.escape(dialect.escape)
    escaped = rf"|{escape}." if escape else ""
    plain = rf"(?:[^{delimiter}\r\n{quote}{escape}]{escaped})*"
    quoted = rf"{quote}(?:[^{quote}{escape}]|{quote}{quote}{escaped})*{quote}"
    ends = rf"({delimiter})|\r?\n|\Z"
    return (
        re.compile(plain, re.DOTALL),
        re.compile(quoted if quote else r"(?!)", re.DOTALL),
        re.compile(ends),
    )


def records(block: str, dialect: CsvDialect, first_line: int = 1) -> Iterator[Record]:
    """The records of a text; lines without anything are none.

    Raises:
        Damaged: a quote inside or behind a field, or one that is never closed; a carriage return
            alone.
    """
    plain, quoted, ends = _forms(dialect)
    at, line, length = 0, first_line, len(block)
    begun, fields, marks = first_line, list[str](), list[bool]()
    while at < length or fields:
        is_quoted = bool(dialect.quote) and block.startswith(dialect.quote, at)
        found = (quoted if is_quoted else plain).match(block, at)
        number = len(fields) + 1
        if found is None:
            raise Damaged(line, number, "a quote is opened and never closed")
        text = found[0]
        end = ends.match(block, found.end())
        line += text.count("\n")
        if end is None:
            raise Damaged(line, number, _stray(block, found.end(), is_quoted))
        fields.append(_value(text, is_quoted, dialect))
        marks.append(is_quoted)
        at = end.end()
        if end[1] is None:
            if len(fields) > 1 or text:
                yield Record(begun, tuple(fields), tuple(marks))
            line += 1
            begun, fields, marks = line, [], []
            if end[0] == "":
                return


def _stray(block: str, at: int, quoted: bool) -> str:
    if block[at] == "\r":
        return "a carriage return that ends no line stands in a field without quotes"
    if quoted:
        return f"{block[at : at + 10]!r} follows a closing quote"
    return "a quote stands inside a field that does not begin with one"


def _value(text: str, quoted: bool, dialect: CsvDialect) -> str:
    if quoted:
        text = text[1:-1].replace(dialect.quote * 2, dialect.quote)
    if dialect.escape and dialect.escape in text:
        text = re.sub(re.escape(dialect.escape) + "(.)", r"\1", text, flags=re.DOTALL)
    return text
