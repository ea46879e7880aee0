"""Delimited text in blocks of whole records, each checked for quotes in the wrong place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from etl_platform.sources.files.errors import BadFile
from etl_platform.sources.files.formats.csv.scanning import Damaged, records
from etl_platform.sources.files.models import CsvDialect

BLOCK_BYTES = 4 << 20
LONGEST_RECORD_BYTES = 64 << 20
_LONE_RETURN = re.compile(rb"\r(?!\n)")


@dataclass(frozen=True, slots=True)
class Block:
    """Whole records.

    Attributes:
        line: on which the first begins.
        simple: every record is one line: neither quotes nor empty lines.
    """

    data: bytes
    line: int
    simple: bool


def blocks(pieces: Iterable[bytes], dialect: CsvDialect, where: str) -> Iterator[Block]:
    """Cut a text (UTF-8) where records end.

    Raises:
        BadFile: a quote inside a field that has none around it, text behind a closing quote, a
            quote that is never closed, or a record of more than 64 MiB.
    """
    line, held = 1, list[bytes]()
    size, skip, footer = 0, dialect.skip, dialect.footer
    old_mac = dialect.line_end == "\r"
    for piece in pieces:
        held.append(piece.replace(b"\r", b"\n") if old_mac else piece)
        size += len(piece)
        if size < BLOCK_BYTES:
            continue
        text = b"".join(held)
        while skip and (end := text.find(b"\n") + 1):
            text, skip, line = text[end:], skip - 1, line + 1
        cut = 0 if skip else _cut(text, dialect, footer)
        if cut:
            yield _checked(text[:cut], line, dialect, where)
            line += text.count(b"\n", 0, cut)
            text = text[cut:]
        elif len(text) > LONGEST_RECORD_BYTES:
            raise BadFile(
                where,
                f"a record goes on for more than {LONGEST_RECORD_BYTES >> 20} MiB; mostly a quote "
                "that is never closed",
                line=line,
            )
        held, size = [text], len(text) if len(text) < BLOCK_BYTES else 0
    text = b"".join(held)
    while skip and (end := text.find(b"\n") + 1):
        text, skip, line = text[end:], skip - 1, line + 1
    if skip:
        text = b""
    if footer:
        kept = text.rstrip(b"\r\n").split(b"\n")[:-footer]
        text = b"\n".join([*kept, b""]) if kept else b""
    if text:
        yield _checked(text, line, dialect, where)


def whole_records(text: bytes, dialect: CsvDialect) -> bytes:
    """The beginning of a text, up to the last record that is known to be whole."""
    if dialect.line_end == "\r":
        text = text.replace(b"\r", b"\n")
    return text[: _cut(text, dialect, 0)]


def _cut(text: bytes, dialect: CsvDialect, footer: int) -> int:
    """Behind the last record that is known to be whole; 0 where there is none."""
    end = len(text)
    for _ in range(footer):
        end = max(text.rfind(b"\n", 0, end), 0)
    end = text.rfind(b"\n", 0, end) + 1
    if not dialect.quote:
        return end
    quotes = _unescaped(text, dialect)
    quote = dialect.quote.encode()
    count = quotes.count(quote, 0, end)
    while count % 2:
        # The field that is open here goes on behind the end; its own quotes come in pairs.
        before = text.rfind(b"\n", 0, quotes.rfind(quote, 0, end)) + 1
        count -= quotes.count(quote, before, end)
        end = before
    return end


def _unescaped(text: bytes, dialect: CsvDialect) -> bytes:
    if not dialect.escape or dialect.escape.encode() not in text:
        return text
    return re.sub(re.escape(dialect.escape.encode()) + b".", b"xx", text, flags=re.DOTALL)


def _checked(text: bytes, line: int, dialect: CsvDialect, where: str) -> Block:
    quote = dialect.quote.encode()
    has_quotes = bool(quote) and quote in text
    if (b"\r" in text and _LONE_RETURN.search(text)) or (
        has_quotes and not _well_quoted(_unescaped(text, dialect), dialect)
    ):
        try:
            for _ in records(text.decode(), dialect, line):
                pass
        except Damaged as error:
            raise BadFile(
                where,
                error.reason,
                line=error.line,
                column=f"#{error.field}",
                fix='csv: {quote: ""} if quotes are ordinary characters here, or have it mended'
                if "quote" in error.reason
                else None,
            ) from None
    simple = not has_quotes and b"\n\n" not in text and b"\n\r\n" not in text
    return Block(text, line, simple and not text.startswith((b"\n", b"\r\n")))


def _well_quoted(text: bytes, dialect: CsvDialect) -> bool:
    """Whether every quote opens a field, closes one, or is one of a pair."""
    import numpy as np

    codes = np.frombuffer(text, np.uint8)
    at = np.flatnonzero(codes == ord(dialect.quote))
    if len(at) % 2:
        return False
    before, after = [*dialect.delimiter.encode(), 10], [*dialect.delimiter.encode(), 10, 13]
    opening, closing = at[0::2], at[1::2]
    # A doubled quote is a close and an open without anything between.
    doubled = np.zeros(len(opening), bool)
    doubled[1:] = opening[1:] == closing[:-1] + 1
    starts = doubled | (opening == 0) | np.isin(codes[opening - 1], before)
    last = closing == len(codes) - 1
    ends = last | np.isin(codes[np.minimum(closing + 1, len(codes) - 1)], after)
    ends[:-1] |= doubled[1:]
    return bool(starts.all() and ends.all())
