"""From the values as a format writes them (text, numbers) to the declared types, exactly.

A whole column is converted at once. A value that has no exact place in its column's type is told
with its row, never made null or rounded.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from etl_platform.sources.stream.formats.columns import Column
from etl_platform.sources.stream.formats.texts import (
    Bad,
    Checked,
    conversion,
    exact,
    wanted_form,
)

if TYPE_CHECKING:
    import pyarrow as pa

_FIRST_US = -62_135_596_800_000_000
_LAST_US = 253_402_300_799_999_999
_FRACTION = {"s": 6, "ms": 3, "us": 0}


def written_type(column: Column) -> pa.DataType:
    """The type in which JSON holds the column's values: texts and numbers before conversion."""
    import pyarrow as pa

    if column.fields:
        return pa.struct([pa.field(one.name, written_type(one)) for one in column.fields])
    if column.items is not None:
        return pa.list_(pa.field("element", written_type(column.items)))
    if column.unit == "ns":
        return pa.int64()
    if column.unit is not None:
        return pa.decimal128(20 if column.unit == "s" else 19, _FRACTION[column.unit])
    kinds = pa.types
    if (
        kinds.is_timestamp(column.type)
        or kinds.is_date(column.type)
        or kinds.is_binary(column.type)
    ):
        return pa.string()
    return column.type


def written_schema(columns: tuple[Column, ...]) -> pa.Schema:
    """All columns as they are before conversion."""
    import pyarrow as pa

    return pa.schema([pa.field(column.name, written_type(column)) for column in columns])


def converted(written: pa.Array[Any], column: Column, name: str | None = None) -> Checked:
    """The column in its declared type, null where the value was bad.

    Args:
        written: values of :func:`written_type`.
        name: what reasons call it; the column's name by default.
    """
    import pyarrow as pa

    name = name or column.name
    if written.type.equals(column.type) and not _has_floats_or_needs(column):
        return _required(written, written, column, name, {})
    if column.fields:
        result, bad = _structure(written, column, name)
    elif column.items is not None:
        result, bad = _list(written, column, name)
    elif pa.types.is_floating(column.type):
        result, bad = _finite(written, column, name)
    elif column.unit is not None:
        result, bad = _counted(written, column, name)
    else:
        result, bad = exact(written, conversion(column), wanted_form(column), name)
    return _required(result, written, column, name, bad)


def from_text(texts: pa.Array[Any], column: Column) -> Checked:
    """The column from values that are all written as text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    wire = written_type(column)
    if wire.equals(texts.type):
        return converted(texts, column)

    def number(values: pa.Array[Any]) -> pa.Array[Any]:
        # Arrow takes hexadecimal digits for a number, where a person would not.
        if pc.any(pc.match_substring_regex(values, "[xX]"), min_count=0).as_py():
            raise pa.ArrowInvalid("hexadecimal")
        return pc.cast(values, wire)

    name = column.name
    plain = dataclasses.replace(column, type=wire, unit=None)
    form = wanted_form(plain) if column.unit is None else f"a number of {column.unit} since 1970"
    written, bad = exact(texts, number, form, name)
    result, more = converted(written, dataclasses.replace(column, required=False))
    return _required(result, texts, column, name, more | bad)


def _has_floats_or_needs(column: Column) -> bool:
    import pyarrow as pa

    if pa.types.is_floating(column.type) or column.unit or column.format:
        return True
    inner = [*column.fields, *([column.items] if column.items else [])]
    return any(one.required or _has_floats_or_needs(one) for one in inner)


def _finite(written: pa.Array[Any], column: Column, name: str) -> Checked:
    import pyarrow.compute as pc

    rows: list[Any] = pc.indices_nonzero(pc.invert(pc.is_finite(written))).to_pylist()
    return written, dict.fromkeys(
        rows, f"column {name!r}: the number is too large for {column.type}, or is NaN"
    )


def _counted(written: pa.Array[Any], column: Column, name: str) -> Checked:
    """Numbers of a unit since 1970, as microseconds."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if column.unit == "ns":
        counts = written.fill_null(0).to_numpy(zero_copy_only=False)
        micros = counts // 1000
        wrong = micros * 1000 != counts
    else:
        # A decimal whose scale is that of the unit holds microseconds: the low word of each.
        filled = written.fill_null(0)
        held: Any = filled.buffers()[1]
        words = np.frombuffer(held, np.int64).reshape(-1, 2)
        words = words[filled.offset : filled.offset + len(filled)]
        micros = words[:, 0].copy()
        wrong = words[:, 1] != (micros >> 63)
    wrong |= (micros < _FIRST_US) | (micros > _LAST_US)
    nulls = written.is_null().to_numpy(zero_copy_only=False)
    bad = {
        int(row): f"column {name!r}: {written[int(row)].as_py()} {column.unit} since 1970 is no "
        "whole number of microseconds in the years 1 to 9999"
        for row in np.flatnonzero(wrong & ~nulls)
    }
    result = pa.array(micros, pa.int64(), mask=nulls | wrong)
    return pc.cast(result, column.type), bad


def _structure(written: Any, column: Column, name: str) -> Checked:
    import pyarrow as pa
    import pyarrow.compute as pc

    present = written.is_valid()
    fields: list[pa.Array[Any]] = []
    bad: Bad = {}
    for position, field in enumerate(column.fields):
        # The field of a structure that is null is null, and required only where there is one.
        values = pc.struct_field(written, [position])
        result, wrong = converted(values, field, f"{name}.{field.name}")
        fields.append(result)
        bad |= {row: why for row, why in wrong.items() if present[row].as_py() and row not in bad}
    kinds = [pa.field(field.name, field.type) for field in column.fields]
    mask = pc.invert(present)
    return pa.StructArray.from_arrays(fields, fields=kinds, mask=mask), bad


def _list(written: Any, column: Column, name: str) -> Checked:
    import pyarrow as pa
    import pyarrow.compute as pc

    if column.items is None or len(written) == 0:
        return pa.array([None] * len(written), column.type), {}
    result, wrong = converted(written.flatten(), column.items, f"{name}[]")
    parents = pc.list_parent_indices(written)
    bad: Bad = {}
    for row, why in wrong.items():
        bad.setdefault(parents[row].as_py(), why)
    lengths = pc.list_value_length(written).fill_null(0)
    ends = pc.cumulative_sum(lengths)
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends.cast(pa.int32())])
    mask = pc.is_null(written)
    return pa.ListArray.from_arrays(offsets, result, type=column.type, mask=mask), bad


def _required(
    result: pa.Array[Any], written: pa.Array[Any], column: Column, name: str, bad: Bad
) -> Checked:
    import pyarrow.compute as pc

    if column.required and written.null_count:
        missing = f"column {name!r} is required, and is missing or null"
        rows: list[Any] = pc.indices_nonzero(pc.is_null(written)).to_pylist()
        bad = dict.fromkeys(rows, missing) | bad
    return result, bad
