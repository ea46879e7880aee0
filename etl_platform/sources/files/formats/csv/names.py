"""What the columns of a CSV file are called."""

from __future__ import annotations

from collections.abc import Sequence

from etl_platform.sources.files.errors import BadFile
from etl_platform.sources.files.formats.csv.blocks import Block
from etl_platform.sources.files.formats.csv.scanning import Record, records
from etl_platform.sources.files.models import CsvDialect


def split_header(block: Block, dialect: CsvDialect) -> tuple[Record, Block]:
    """The first record of a file's first block, and the block without it."""
    text = block.data.decode()
    found = records(text, dialect, block.line)
    header = next(found, Record(block.line, (), ()))
    # Where a header goes on over lines is rare; its end is looked for among the line breaks.
    data, line = block.data, block.line
    following = next(found, None)
    while line < (following.line if following is not None else header.line + 1):
        end = data.find(b"\n") + 1
        data, line = (data[end:], line + 1) if end else (b"", header.line + 1)
    return header, Block(data, line, block.simple)


def header_names(header: Record, where: str) -> tuple[str, ...]:
    """Names without blanks at their ends; an empty one becomes ``column_3``.

    Raises:
        BadFile: two columns have one name.
    """
    names = names_of(header.fields)
    for name in names:
        if names.count(name) > 1:
            raise BadFile(
                where,
                f"the header names {name!r} {names.count(name)} times",
                line=header.line,
                column=name,
                fix="csv: {skip: 1, header: false} and names by columns",
            )
    return names


def names_of(fields: Sequence[str]) -> tuple[str, ...]:
    """See :func:`header_names`."""
    return tuple(field.strip() or f"column_{n}" for n, field in enumerate(fields, 1))
