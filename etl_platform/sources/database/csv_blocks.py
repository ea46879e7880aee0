"""Blocks of PostgreSQL's CSV -> Arrow record batches, a whole block at a time, exact or refused.

The format tells null (nothing) from the empty string (``""``) by its quotes
(https://www.postgresql.org/docs/current/sql-copy.html, "CSV Format"). What Arrow's reader alone
would get wrong, each seen by running it: it drops a byte order mark that begins a block, which here
is a value's first character; it wraps a number of 38 digits around when the column has decimals
that the source did not promise; and it names no row that a person could find.
"""

from __future__ import annotations

import binascii
from typing import IO, TYPE_CHECKING, Any, cast

from etl_platform.sources.database.opening import schema_of
from etl_platform.sources.database.text_columns import cast_text, refuse_unfit

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_platform.sources.database.policy import TargetColumn

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Unreadable(ValueError):
    """A block that the parser refuses though every value in it is fine alone."""


class CsvBlocks:
    """Parses blocks of one result. A block is a number of whole rows.

    Args:
        columns: binary columns are expected as hexadecimal digits, all else as the server's text.
        where: the table's name, for messages.
    """

    def __init__(self, columns: tuple[TargetColumn, ...], where: str) -> None:

        self.schema = schema_of(columns)
        self._columns = columns
        self._where = where
        self._types = {str(n): _parsed_as(column) for n, column in enumerate(columns)}
        self._read = 0

    def parse(self, block: bytes, rows: int) -> pa.RecordBatch:
        """One block as a batch.

        Raises:
            PermanentError: a value has no exact place in its column; names its row.
            Unreadable: the parser fails, but no value is to blame.
        """
        import pyarrow as pa

        try:
            parsed = self._parsed(block, self._types)
            arrays = [_final(a, c) for a, c in zip(parsed, self._columns, strict=True)]
            batch = pa.RecordBatch.from_arrays(arrays, schema=self.schema)
        except pa.ArrowInvalid as error:
            self._blame(block)
            raise Unreadable(str(error)) from error
        if batch.num_rows != rows:
            raise Unreadable(f"{rows} rows were sent and {batch.num_rows} were understood")
        self._read += rows
        return batch

    def _parsed(self, block: bytes, types: dict[str, pa.DataType]) -> list[pa.Array[Any]]:
        import pyarrow as pa
        from pyarrow import csv

        if block.startswith(_BYTE_ORDER_MARK):
            block = _BYTE_ORDER_MARK + block
        table = csv.read_csv(
            cast("IO[bytes]", pa.BufferReader(block)),  # what it takes, and the stubs forget
            read_options=csv.ReadOptions(
                use_threads=False, block_size=len(block) + 1, column_names=list(types)
            ),
            parse_options=csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
            convert_options=csv.ConvertOptions(
                column_types=types,
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                true_values=["t"],
                false_values=["f"],
            ),
        )
        return [_contiguous(column) for column in table.columns]

    def _blame(self, block: bytes) -> None:
        """Raise for the first value that has no place; return when there is none."""
        import pyarrow as pa

        texts = self._parsed(block, dict.fromkeys(self._types, pa.string()))
        for text, column in zip(texts, self._columns, strict=True):
            if pa.types.is_decimal(column.type) or pa.types.is_temporal(column.type):
                refuse_unfit(text, column, self._where, self._read + 1)


def _parsed_as(column: TargetColumn) -> pa.DataType:
    import pyarrow as pa

    if pa.types.is_binary(column.type):
        return pa.string()
    if column.declared and pa.types.is_decimal(column.type):
        return pa.string()
    return column.type


def _final(parsed: pa.Array[Any], column: TargetColumn) -> pa.Array[Any]:
    import pyarrow as pa

    if parsed.type == column.type:
        return parsed
    return _unhex(parsed) if pa.types.is_binary(column.type) else cast_text(parsed, column.type)


def _unhex(digits: pa.Array[Any]) -> pa.Array[Any]:
    """All values of a column at once: their digits lie side by side, two for each byte."""
    import pyarrow as pa

    validity, offsets, data = digits.buffers()
    halved = pa.Array.from_buffers(pa.int32(), len(digits) + 1, [None, offsets]).to_numpy() // 2
    content = binascii.unhexlify(data) if data is not None else b""
    return pa.Array.from_buffers(
        pa.binary(),
        len(digits),
        [validity, pa.py_buffer(halved.tobytes()), pa.py_buffer(content)],
        null_count=digits.null_count,
    )


def _contiguous(column: pa.ChunkedArray[Any]) -> pa.Array[Any]:
    joined = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    return cast("pa.Array[Any]", joined)
