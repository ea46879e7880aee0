"""Rows of MySQL's text protocol -> Arrow record batches, a whole block at a time, exact or refused.

In a row every value has its length in front, in one byte if it is short. NumPy walks all rows of a
block at once, one step for each column, and writes a separator over each length and a line break
over each row's header: the block has become a table of text in its place, which Arrow's CSV reader
parses without quotes. What that text alone would not tell stays exact:

* null and the empty text have different lengths, so the nulls of text columns are set afterwards;
* a separator or line break inside a text gives its place to a letter before the parsing, and is
  put back into the column afterwards;
* lengths of long values take several bytes: all but the first are cut out before the parsing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, cast

from etl_platform.sources.database.csv_blocks import Unreadable
from etl_platform.sources.database.opening import schema_of
from etl_platform.sources.database.text_columns import cast_text, refuse_unfit

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from etl_platform.sources.database.mysql_packets import Bytes, Places, RowBlock
    from etl_platform.sources.database.policy import TargetColumn

_SEPARATOR, _LINE_BREAK, _RETURN = 0x1F, 0x0A, 0x0D
_LAST_CONTROL = 0x1F
_LETTER = ord("x")
_NULL = 251
# First byte of a long value's length -> how many bytes of the length follow it.
_LONG = {252: 2, 253: 3}
# Arrow parses longer decimals directly into 128 bits too, but wraps around when it rescales them.
_DIRECT_DIGITS = 18
_MARK = "mark"


@dataclass(frozen=True, slots=True)
class _Values:
    """One column of a block: where the lengths begin, how many bytes they take, what is null."""

    places: Places
    length_bytes: Places
    nulls: NDArray[np.bool_] | None

    def begin(self, rows: Places) -> Places:
        return self.places[rows] + self.length_bytes[rows]


@dataclass(frozen=True, slots=True)
class _Hidden:
    """Bytes of texts that would have ended their values: the row, the place in the value."""

    rows: Places
    offsets: Places
    content: Bytes


class MySqlBlocks:
    """Parses blocks of one result.

    Args:
        columns: what the statement selects after its mark.
        where: the table's name, for messages.
    """

    def __init__(self, columns: tuple[TargetColumn, ...], where: str) -> None:

        self.schema = schema_of(columns)
        self._columns = columns
        self._where = where
        self._types = {str(n): _parsed_as(column) for n, column in enumerate(columns)}
        self._read = 0

    def parse(self, block: RowBlock) -> pa.RecordBatch:
        """One block as a batch; the block's content is overwritten.

        Raises:
            PermanentError: a value has no exact place in its column; names its row.
            Unreadable: the block is not what the protocol says, or no value is to blame.
        """
        import pyarrow as pa

        values = _walk(block, len(self._columns))
        hidden = _clear(block, values)
        content = _as_lines(block, values)
        try:
            parsed = _parsed(content, self._types)
            arrays = [
                _final(array, column, where, gone)
                for array, column, where, gone in zip(
                    parsed, self._columns, values, hidden, strict=True
                )
            ]
            batch = pa.RecordBatch.from_arrays(arrays, schema=self.schema)
        except pa.ArrowInvalid as error:
            self._blame(content, values)
            raise Unreadable(str(error)) from error
        if batch.num_rows != len(block.starts):
            raise Unreadable(f"{len(block.starts)} rows came and {batch.num_rows} were understood")
        self._read += batch.num_rows
        return batch

    def _blame(self, content: Bytes, values: list[_Values]) -> None:
        """Raise for the first value that has no place; return when there is none."""
        import pyarrow as pa

        texts = _parsed(content, dict.fromkeys(self._types, pa.string()))
        for text, column, value in zip(texts, self._columns, values, strict=True):
            if not _is_text(column.type):
                refuse_unfit(_with_nulls(text, value.nulls), column, self._where, self._read + 1)


def _walk(block: RowBlock, columns: int) -> list[_Values]:
    """Find every value by the length in front of it."""
    import numpy as np

    short = np.ones(len(block.starts), np.int64)
    values: list[_Values] = []
    places = block.starts + block.prefix
    for _ in range(columns):
        if (places >= block.ends).any():
            raise Unreadable("a row ends before its last column")
        lengths = block.content[places]
        if lengths.max() < _NULL:
            values.append(_Values(places, short, None))
            places = places + lengths + 1
        else:
            found, sizes = _long(block, places, lengths)
            values.append(found)
            places = places + found.length_bytes + sizes
    if (places != block.ends).any():
        raise Unreadable("a row does not end with its last column")
    return values


def _long(block: RowBlock, places: Places, lengths: Bytes) -> tuple[_Values, Places]:
    """A column with nulls or long values, and the sizes of its values."""
    import numpy as np

    nulls = lengths == _NULL
    sizes = np.where(nulls, 0, lengths.astype(np.int64))
    length_bytes = np.ones(len(places), np.int64)
    if lengths.max() > max(_LONG):
        raise Unreadable("a value claims 16 MB or more")
    for first, more in _LONG.items():
        rows = np.flatnonzero(lengths == first)
        at = places[rows]
        if (at + more >= block.ends[rows]).any():
            raise Unreadable("a row ends within a length")
        parts = [block.content[at + n].astype(np.int64) << 8 * (n - 1) for n in range(1, more + 1)]
        sizes[rows] = sum(parts)
        length_bytes[rows] = more + 1
    return _Values(places, length_bytes, nulls if nulls.any() else None), sizes


def _spare(values: list[_Values]) -> list[Places]:
    """Places of the bytes of lengths after their first ones."""
    return [
        value.places[value.length_bytes > n] + n
        for value in values
        if value.length_bytes.max() > 1
        for n in range(1, max(_LONG.values()) + 1)
    ]


def _clear(block: RowBlock, values: list[_Values]) -> list[_Hidden | None]:
    """Write letters over all that is no value, and over what would end a value too early."""
    import numpy as np

    content = block.content
    for offset in range(block.prefix):
        content[block.starts + offset] = _LETTER
    for places in (*(value.places for value in values), *_spare(values)):
        content[places] = _LETTER
    hidden: list[_Hidden | None] = [None] * len(values)
    suspects = np.flatnonzero(content <= _LAST_CONTROL)
    suspects = suspects[np.isin(content[suspects], (_SEPARATOR, _LINE_BREAK, _RETURN))]
    if not len(suspects):
        return hidden
    rows = np.searchsorted(block.starts, suspects, side="right") - 1
    columns = np.sum([value.places[rows] < suspects for value in values], axis=0) - 1
    for n in np.unique(columns):
        chosen = columns == n
        offsets = suspects[chosen] - values[n].begin(rows[chosen])
        hidden[n] = _Hidden(rows[chosen], offsets, content[suspects[chosen]])
    content[suspects] = _LETTER
    return hidden


def _as_lines(block: RowBlock, values: list[_Values]) -> Bytes:
    import numpy as np

    content = block.content
    content[block.starts] = _LINE_BREAK
    for value in values:
        content[value.places] = _SEPARATOR
    spare = _spare(values)
    if spare:
        keep = np.ones(len(content), np.bool_)
        keep[np.concatenate(spare)] = False
        content = content[keep]
    return content[1:]  # the first line break ends no row


def _parsed(content: Bytes, types: dict[str, pa.DataType]) -> list[pa.Array[Any]]:
    import pyarrow as pa
    from pyarrow import csv

    source = pa.BufferReader(pa.py_buffer(content))  # pyright: ignore[reportArgumentType]
    table = csv.read_csv(
        cast("IO[bytes]", source),  # what it takes, and the stubs forget
        read_options=csv.ReadOptions(
            use_threads=False, block_size=len(content) + 1, column_names=[_MARK, *types]
        ),
        parse_options=csv.ParseOptions(
            delimiter=chr(_SEPARATOR), quote_char=False, ignore_empty_lines=False
        ),
        convert_options=csv.ConvertOptions(
            column_types=types,
            include_columns=list(types),
            null_values=[""],
            strings_can_be_null=False,
        ),
    )
    return [_contiguous(column) for column in table.columns]


def _final(
    parsed: pa.Array[Any], column: TargetColumn, values: _Values, hidden: _Hidden | None
) -> pa.Array[Any]:
    if _is_text(parsed.type):
        parsed = _with_nulls(parsed if hidden is None else _restored(parsed, hidden), values.nulls)
        return parsed if parsed.type == column.type else cast_text(parsed, column.type)
    if parsed.null_count != (0 if values.nulls is None else int(values.nulls.sum())):
        raise Unreadable(f"column {column.name!r} has other nulls than were sent")
    return parsed


def _restored(text: pa.Array[Any], hidden: _Hidden) -> pa.Array[Any]:
    """The texts with the bytes that had to be hidden."""
    import numpy as np
    import pyarrow as pa

    _, offsets, content = text.buffers()
    assert offsets is not None
    assert content is not None
    begins = np.frombuffer(memoryview(offsets), np.int32)
    changed = np.frombuffer(memoryview(content), np.uint8).copy()
    changed[begins[hidden.rows] + hidden.offsets] = hidden.content
    return pa.Array.from_buffers(
        text.type, len(text), [None, offsets, pa.py_buffer(changed.tobytes())]
    )


def _with_nulls(text: pa.Array[Any], nulls: NDArray[np.bool_] | None) -> pa.Array[Any]:
    import numpy as np
    import pyarrow as pa

    if nulls is None:
        return text
    validity = pa.py_buffer(np.packbits(~nulls, bitorder="little").tobytes())
    return pa.Array.from_buffers(text.type, len(text), [validity, *text.buffers()[1:]])


def _parsed_as(column: TargetColumn) -> pa.DataType:
    import pyarrow as pa

    kind = column.type
    if isinstance(kind, pa.Decimal128Type) and (column.declared or kind.precision > _DIRECT_DIGITS):
        return pa.string()
    return kind


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return pa.types.is_string(kind) or pa.types.is_binary(kind)


def _contiguous(column: pa.ChunkedArray[Any]) -> pa.Array[Any]:
    joined = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    return cast("pa.Array[Any]", joined)
