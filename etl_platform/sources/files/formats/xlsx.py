"""Workbooks: one sheet, its cells as Excel types them (texts stay texts, zeros included)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from etl_platform.sources.files.errors import BadFile
from etl_platform.sources.files.formats.conforming import conformed
from etl_platform.sources.files.models import FileFormat
from etl_platform.sources.files.whole import Content

if TYPE_CHECKING:
    import pyarrow as pa

_EXACT = 1 << 53


def table_of(content: Content, form: FileFormat, where: str) -> pa.Table:
    """The sheet; numbers that are whole in every cell of a column are int64.

    Raises:
        BadFile: no workbook, several sheets, or a column with cells of several kinds.
    """
    import fastexcel
    import pyarrow as pa

    options = form.options.xlsx
    source = content.seekable()
    data = source.read(options.max_bytes + 1)
    if len(data) > options.max_bytes:
        raise BadFile(where, f"a workbook of more than {options.max_bytes} bytes")
    try:
        book = fastexcel.read_excel(data)
        names = book.sheet_names
        if options.sheet is None and len(names) != 1:
            raise BadFile(
                where, f"{len(names)} sheets: {', '.join(names)}", fix="declare xlsx: {sheet}"
            )
        sheet = book.load_sheet(
            options.sheet or names[0],
            header_row=options.skip,
            schema_sample_rows=None,
            dtype_coercion="strict",
        )
        table = pa.table(sheet.to_arrow())
    except fastexcel.FastExcelError as error:
        raise BadFile(where, f"unusable workbook: {error}") from error
    return pa.table({name: _plain(table.column(name)) for name in table.column_names})


def read_xlsx(
    content: Content, form: FileFormat, schema: pa.Schema, where: str
) -> Iterator[pa.RecordBatch]:
    """Record batches of ``schema``.

    Raises:
        BadFile: see :func:`table_of`.
    """
    table = table_of(content, form, where)
    first = 1
    for batch in table.to_batches():
        yield conformed(batch, schema, where, first)
        first += batch.num_rows


def _plain(values: Any) -> Any:
    """A column in a type of the lake; Excel's numbers are doubles, whole ones below 2**53 exact."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = values.type
    if pa.types.is_large_string(kind) or pa.types.is_null(kind) or "view" in str(kind):
        return values.cast(pa.string())
    if pa.types.is_timestamp(kind):
        return values.cast(pa.timestamp("us"))
    if pa.types.is_floating(kind) and values.null_count < len(values):
        whole = pc.all(pc.equal(values, pc.round(values))).as_py()
        largest = pc.max(pc.abs(values)).as_py()
        if whole and largest < _EXACT:
            return values.cast(pa.int64())
    return values
