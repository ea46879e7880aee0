"""Blocks of delimited text -> Arrow: parsed by Arrow as texts, converted a column at a time.

Arrow's reader makes 7 of ``007``, 1 of ``0x1``, rounds what has more digits than a double, and
takes ``1`` for true: a column keeps its values only if the texts can be had back from them, which
is looked at here. https://www.rfc-editor.org/rfc/rfc4180 where the dialect says nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import IO, TYPE_CHECKING, Any, cast

from etl_platform.sources.files.errors import BadFile
from etl_platform.sources.files.formats.csv.blocks import Block
from etl_platform.sources.files.formats.csv.scanning import Damaged, records
from etl_platform.sources.files.models import CsvDialect
from etl_platform.sources.files.options import CsvOptions
from etl_platform.sources.stream.formats.columns import Column

if TYPE_CHECKING:
    import pyarrow as pa

_SHOWN = 40


def texts_of(
    block: Block, names: Sequence[str], dialect: CsvDialect, options: CsvOptions, where: str
) -> pa.Table:
    """All values as texts, null where they are one of ``null_values`` without quotes.

    Raises:
        BadFile: a record has more or fewer fields than there are names.
    """
    import pyarrow as pa
    from pyarrow import csv

    data = block.data
    if data.startswith(b"\xef\xbb\xbf"):
        data = b"\xef\xbb\xbf" + data  # Arrow drops it, and only the file's first is a mark.
    keys = [str(number) for number in range(len(names))]
    if not data.strip(b"\r\n"):
        return pa.schema([pa.field(key, pa.string()) for key in keys]).empty_table()
    try:
        return csv.read_csv(
            cast("IO[bytes]", pa.BufferReader(data)),
            read_options=csv.ReadOptions(
                use_threads=False, block_size=len(data) + 1, column_names=keys
            ),
            parse_options=csv.ParseOptions(
                delimiter=dialect.delimiter,
                quote_char=dialect.quote or False,
                double_quote=bool(dialect.quote),
                escape_char=dialect.escape or False,
                newlines_in_values=not block.simple,
                ignore_empty_lines=True,
            ),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(keys, pa.string()),
                null_values=list(options.null_values),
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as error:
        raise _ragged(block, names, dialect, where) or BadFile(
            where, str(error), line=block.line
        ) from error


def _ragged(block: Block, names: Sequence[str], dialect: CsvDialect, where: str) -> BadFile | None:
    try:
        for record in records(block.data.decode(), dialect, block.line):
            if len(record.fields) != len(names):
                start = dialect.delimiter.join(record.fields)[:_SHOWN]
                return BadFile(
                    where,
                    f"{len(record.fields)} fields where {len(names)} are expected: {start!r}",
                    line=record.line,
                    fix="csv: {skip: N} or {footer: N} for lines that are no data",
                )
    except Damaged as error:
        return BadFile(where, error.reason, line=error.line, column=f"#{error.field}")
    return None


def column_of(
    texts: pa.Array[Any], column: Column, options: CsvOptions
) -> tuple[pa.Array[Any], tuple[int, str] | None]:
    """One column in its type, and the first row that has no exact place in it, with the reason."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from etl_platform.sources.stream.formats.conversion import from_text

    if options.trim:
        texts = pc.utf8_trim_whitespace(texts)
    kind = column.type
    if pa.types.is_string(kind):
        if column.required and texts.null_count:
            return texts, (_first(texts.is_null()), "no value, and one is required")
        return texts, None
    if pa.types.is_null(kind):
        row = _first(not_empty(texts))
        return pa.nulls(len(texts)), None if row < 0 else (row, _unfit(texts, row, "nothing"))
    texts = pc.if_else(not_empty(texts), texts, pa.scalar(None, pa.string()))
    texts = plain_numbers(texts, options) if _is_number(kind) else texts
    found, bad = from_text(texts, column)
    if bad:
        row = min(bad)
        reason = bad[row]
        return found, (row, reason.partition(": ")[2] or reason)
    if column.format is not None or column.unit is not None:
        return found, None
    row = _first_changed(texts, found, kind)
    return found, None if row is None else (row, _unfit(texts, row, f"exactly {_told(kind)}"))


def plain_numbers(texts: pa.Array[Any], options: CsvOptions) -> pa.Array[Any]:
    """Numbers as Arrow reads them: no thousands, a point before decimals.

    What is written otherwise gets a letter, so that it is refused.
    """
    import re

    import pyarrow.compute as pc

    if options.decimal == "." and not options.thousands:
        return texts
    point, mark = re.escape(options.decimal), re.escape(options.thousands)
    whole = rf"([0-9]+|[0-9]{{1,3}}({mark}[0-9]{{3}})+)" if mark else "[0-9]+"
    fits = pc.match_substring_regex(texts, rf"^-?{whole}({point}[0-9]+)?$")
    plain = texts
    if options.thousands:
        plain = pc.replace_substring(plain, options.thousands, "")
    plain = pc.replace_substring(plain, options.decimal, ".")
    return pc.if_else(fits, plain, pc.replace_substring_regex(texts, "^", "?"))


def _is_number(kind: pa.DataType) -> bool:
    from pyarrow import types as t

    return t.is_integer(kind) or t.is_floating(kind) or t.is_decimal(kind)


def _first_changed(texts: pa.Array[Any], found: pa.Array[Any], kind: pa.DataType) -> int | None:
    """The first row whose text says more than its value, or something else."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_integer(kind):
        same = pc.equal(pc.cast(found, pa.string()), texts)
    elif pa.types.is_floating(kind):
        same = pc.match_substring_regex(texts, FLOAT)
        long = longer_than(texts, 15)
        if pc.any(long, min_count=0).as_py():
            for row in cast("list[int]", pc.indices_nonzero(long).to_pylist()):
                text, value = texts[row].as_py(), found[row].as_py()
                if same[row].as_py() and Decimal(text) != Decimal(repr(value)):
                    return row
    elif pa.types.is_decimal(kind):
        same = pc.match_substring_regex(texts, DECIMAL)
    elif pa.types.is_boolean(kind):
        same = pc.match_substring_regex(texts, BOOLEAN)
    elif pa.types.is_timestamp(kind):
        same = pc.match_substring_regex(texts, TIME)
    else:
        return None
    row = _first(pc.invert(same))
    return None if row < 0 else row


def not_empty(texts: pa.Array[Any]) -> pa.Array[Any]:
    """Where there is a text, and more than nothing in it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.fill_null(longer_than(texts, 0), pa.scalar(value=False))


def longer_than(texts: Any, size: int) -> Any:  # the stubs know lengths of expressions only
    """Where a text has more bytes than that."""
    import pyarrow as pa
    import pyarrow.compute as pc

    lengths: Any = pc.binary_length(texts)
    return pc.greater(lengths, pa.scalar(size))


def _first(wanted: pa.Array[Any]) -> int:
    """The first row that is true; -1 where none is."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return int(pc.index(wanted, pa.scalar(value=True)).as_py())


INTEGER = r"^(0|-?[1-9][0-9]*)$"
DECIMAL = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?$"
FLOAT = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$"
TIME = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}"
"""Arrow takes a date for its midnight."""
BOOLEAN = r"^(true|false|TRUE|FALSE|True|False)$"


def _unfit(texts: pa.Array[Any], row: int, wanted: str) -> str:
    return f"{texts[row].as_py()[:_SHOWN]!r} is not {wanted}"


def _told(kind: pa.DataType) -> str:
    return f"{'an' if str(kind)[0] in 'aeiou' else 'a'} {kind}"


def line_of(block: Block, dialect: CsvDialect, row: int) -> int:
    """The line on which a row of a block begins."""
    if block.simple:
        return block.line + row
    for number, record in enumerate(_records(block, dialect)):
        if number == row:
            return record.line
    return block.line


def _records(block: Block, dialect: CsvDialect) -> Iterator[Any]:
    return records(block.data.decode(), dialect, block.line)
