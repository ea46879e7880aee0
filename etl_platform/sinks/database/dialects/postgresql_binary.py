"""Arrow as ``COPY ... (FORMAT binary)``, a whole column at a time.

The format is PostgreSQL's (its documentation of COPY, "Binary Format", and the ``*_recv`` function
of each type): a row is its number of fields, then each field's length and value, all big-endian. So
a row is a concatenation of blocks of fixed width and of texts, and columns of bytes are what Arrow
concatenates at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from etl_platform.sinks.database.dialects import postgresql_numeric
from etl_platform.sinks.database.dialects.arrow_buffers import buffer_of, numbers, truths

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Mask = npt.NDArray[np.bool_]

SIGNATURE = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER = b"\xff\xff"
_NULL = -1
_NEGATIVE = 0x4000
_EPOCH_DAYS = 10_957  # 2000-01-01, from which PostgreSQL counts
_EPOCH_MICROSECONDS = _EPOCH_DAYS * 86_400_000_000
_ELEMENT_OIDS = {
    "bool": 16, "binary": 17, "int64": 20, "int16": 21, "int32": 23, "string": 25, "float": 700,
    "double": 701, "date32[day]": 1082, "timestamp[us]": 1114, "timestamp[us, tz=UTC]": 1184,
}  # fmt: skip
_NUMERIC_OID = 1700


class Field(NamedTuple):
    """A big-endian number in every row; ``kind`` is its numpy type."""

    kind: str
    values: npt.NDArray[Any] | int


def encode(batch: pa.RecordBatch) -> pa.Buffer:
    """The rows of a batch, without the format's signature and trailer.

    Columns may be of the types in which values are sent: booleans, int16 to int64, floats,
    decimal128 of scale 0 and more, date32, microseconds, text, bytes, and lists of these.
    """
    rows = _Rows(batch.num_rows)
    rows.add(Field(">i2", batch.num_columns))
    for column in batch.columns:
        _write(rows, column)
    return rows.joined()[0]


class _Rows:
    """The pieces of each row in their order; neighbours of fixed width are one piece."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._pieces: list[pa.Array[Any]] = []
        self._pending: list[Field] = []

    def add(self, *fields: Field) -> None:
        """Bytes that every row has."""
        self._pending += fields

    def add_where(self, present: Mask, *fields: Field) -> None:
        """Bytes that only some rows have."""
        import numpy as np

        block = _block(fields, self._count)
        ends = np.cumsum(present, dtype=np.int64) * block.shape[1]
        self.add_bytes(_binary(np.concatenate(([0], ends)), block[present]))

    def add_bytes(self, piece: pa.Array[Any]) -> None:
        """Bytes of any length; none where the value is null."""
        self._flush()
        self._pieces.append(piece)

    def joined(self) -> tuple[pa.Buffer, npt.NDArray[np.int64]]:
        """The bytes of all rows, and where each begins and the last one ends."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        self._flush()
        # Not by ``pa.scalar``: it imports pandas to ask whether it is concerned, 0.2 s. pyarrow's
        # stubs know the separator as a further array only.
        separator: Any = _binary(np.zeros(2, np.int64), pa.py_buffer(b""))[0]
        whole: pa.Array[Any] = pc.binary_join_element_wise(
            *self._pieces, separator, null_handling="replace", null_replacement=""
        )
        _, offsets, contents = whole.buffers()
        starts = numbers(offsets, np.int64, self._count + 1)
        return contents if contents is not None else pa.py_buffer(b""), starts

    def _flush(self) -> None:
        import numpy as np

        if self._pending:
            block = _block(self._pending, self._count)
            starts = np.arange(self._count + 1, dtype=np.int64) * block.shape[1]
            self._pieces.append(_binary(starts, block))
            self._pending = []


def _write(rows: _Rows, array: pa.Array[Any]) -> None:
    """Length and value of a field in every row."""
    import numpy as np
    from pyarrow import types as t

    present = np.ones(len(array), np.bool_)
    if array.null_count:
        present = truths(array.is_valid())
    if t.is_list(array.type):
        _write_list(rows, array, present)
    elif t.is_string(array.type) or t.is_binary(array.type):
        _write_bytes(rows, array, present)
    else:
        fields = _numeric(array) if t.is_decimal(array.type) else [_number(array)]
        width = sum(np.dtype(field.kind).itemsize for field in fields)
        if array.null_count:
            rows.add(Field(">i4", np.where(present, width, _NULL)))
            rows.add_where(present, *fields)
        else:
            rows.add(Field(">i4", width), *fields)


def _write_bytes(rows: _Rows, array: pa.Array[Any], present: Mask) -> None:
    import numpy as np
    import pyarrow as pa

    starts = _starts(array)
    rows.add(Field(">i4", np.where(present, np.diff(starts), _NULL)))
    kind = pa.binary() if pa.types.is_string(array.type) else array.type
    rows.add_bytes(array.view(kind).cast(pa.large_binary()))


def _write_list(rows: _Rows, array: pa.Array[Any], present: Mask) -> None:
    """One dimension that counts from 1; an empty array has none (``array_recv``)."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    values = array.values  # pyright: ignore[reportAttributeAccessIssue] # of list arrays only
    elements = _Rows(len(values))
    _write(elements, values)
    contents, ends = elements.joined()
    starts = ends[_starts(array)]
    counts = np.diff(_starts(array))
    filled = present & (counts > 0)
    lengths = np.where(filled, 20, 12) + np.diff(starts)
    decimal = pa.types.is_decimal(values.type)
    oid = _NUMERIC_OID if decimal else _ELEMENT_OIDS[str(values.type)]
    rows.add(Field(">i4", np.where(present, lengths, _NULL)))
    rows.add_where(
        present, Field(">i4", filled), Field(">i4", int(values.null_count > 0)), Field(">i4", oid)
    )
    rows.add_where(filled, Field(">i4", counts), Field(">i4", 1))
    piece = _binary(starts, contents)
    # What a null list spans is not its value.
    rows.add_bytes(pc.if_else(array.is_valid(), piece, None) if array.null_count else piece)


def _numeric(array: pa.Array[Any]) -> list[Field]:
    import numpy as np

    weight, negative, digits = postgresql_numeric.digits(array)
    sign = np.where(negative, _NEGATIVE, 0)
    head = (len(digits), weight, sign, array.type.scale)
    return [Field(">i2", values) for values in (*head, *digits)]


def _number(array: pa.Array[Any]) -> Field:
    import numpy as np
    import pyarrow as pa
    from pyarrow import types as t

    if t.is_boolean(array.type):
        return Field("u1", np.asarray(array.cast(pa.uint8()).fill_null(0)))
    kind = np.dtype(f"f{array.type.bit_width // 8}" if t.is_floating(array.type)
                    else f"i{array.type.bit_width // 8}")  # fmt: skip
    end = array.offset + len(array)
    values = numbers(array.buffers()[1], kind, end)[array.offset :]
    if t.is_date(array.type):
        values = values - np.int32(_EPOCH_DAYS)
    elif t.is_timestamp(array.type):
        values = values - np.int64(_EPOCH_MICROSECONDS)
    return Field(kind.newbyteorder(">").str, values)


def _starts(array: pa.Array[Any]) -> npt.NDArray[np.int64]:
    """Where the value of each row begins, and the last one ends."""
    import numpy as np

    if not len(array):
        return np.zeros(1, np.int64)
    end = array.offset + len(array) + 1
    return numbers(array.buffers()[1], np.int32, end)[array.offset :].astype(np.int64)


def _block(fields: tuple[Field, ...] | list[Field], count: int) -> npt.NDArray[np.uint8]:
    """The fields of every row beside each other: rows x bytes."""
    import numpy as np

    block = np.empty(count, [(f"f{i}", field.kind) for i, field in enumerate(fields)])
    for i, field in enumerate(fields):
        block[f"f{i}"] = field.values
    return block.view(np.uint8).reshape(count, block.dtype.itemsize)


def _binary(
    starts: npt.NDArray[np.int64], contents: npt.NDArray[np.uint8] | pa.Buffer
) -> pa.Array[Any]:
    import pyarrow as pa

    if not isinstance(contents, pa.Buffer):
        contents = buffer_of(contents)
    buffers = [None, buffer_of(starts), contents]
    return pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(starts) - 1, buffers)
