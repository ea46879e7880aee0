"""A CSV file -> record batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from etl_platform.sources.files.columns import columns_of_schema
from etl_platform.sources.files.errors import BadFile
from etl_platform.sources.files.formats.csv.blocks import Block, blocks
from etl_platform.sources.files.formats.csv.names import header_names, split_header
from etl_platform.sources.files.formats.csv.parsing import column_of, line_of, texts_of
from etl_platform.sources.files.models import CsvDialect, FileFormat

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_platform.sources.stream.formats.columns import Column


def read_csv(
    pieces: Iterable[bytes], form: FileFormat, schema: pa.Schema, where: str
) -> Iterator[pa.RecordBatch]:
    """Record batches of ``schema``.

    Columns are matched by name where there is a header, else by position. A column of the schema
    that the file lacks is null; one that the schema lacks is refused.

    Args:
        pieces: UTF-8 without byte order mark.

    Raises:
        BadFile: with the line, at the first place that cannot be read exactly.
    """
    dialect = form.dialect or CsvDialect(",")
    columns = columns_of_schema(schema, form.options)
    names: tuple[str, ...] | None = None if dialect.header else form.names
    for block in blocks(pieces, dialect, where):
        if names is None:
            header, block = split_header(block, dialect)
            names = header_names(header, where)
        _refuse_unknown(names, schema, where, dialect)
        if block.data.strip(b"\r\n"):
            yield _batch(block, names, form, dialect, columns, schema, where)
    if names is None:
        raise BadFile(where, "there is no header: the file is empty, or all of it is skipped")


def _refuse_unknown(
    names: tuple[str, ...], schema: pa.Schema, where: str, dialect: CsvDialect
) -> None:
    unknown = [name for name in names if name not in schema.names]
    if unknown:
        raise BadFile(
            where,
            f"columns that the schema does not have: {', '.join(unknown)}",
            line=dialect.skip + 1,
            column=unknown[0],
        )


def _batch(
    block: Block,
    names: tuple[str, ...],
    form: FileFormat,
    dialect: CsvDialect,
    columns: tuple[Column, ...],
    schema: pa.Schema,
    where: str,
) -> pa.RecordBatch:
    import pyarrow as pa

    options = form.options.csv
    table = texts_of(block, names, dialect, options, where)
    place = {name: number for number, name in enumerate(names)}
    first: tuple[int, str, str] | None = None
    arrays: list[pa.Array[Any]] = []
    for column in columns:
        if column.name not in place:
            if column.required:
                raise BadFile(where, "the column is required, and is missing", column=column.name)
            arrays.append(pa.array([None] * table.num_rows, column.type))
            continue
        chunked: Any = table.column(place[column.name]).combine_chunks()
        texts = chunked if isinstance(chunked, pa.Array) else pa.concat_arrays(chunked.chunks)
        values, bad = column_of(texts, column, options)
        if bad is not None and (first is None or bad[0] < first[0]):
            first = (bad[0], column.name, bad[1])
        arrays.append(values)
    if first is not None:
        row, name, reason = first
        raise BadFile(
            where,
            reason,
            line=line_of(block, dialect, row),
            column=name,
            fix="declare the column's type, as string to keep every text",
        )
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
