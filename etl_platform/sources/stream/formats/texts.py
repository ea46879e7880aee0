"""Texts as values: all of a column at once, and which of them could not be."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from etl_platform.sources.stream.formats.columns import Column
from etl_platform.sources.stream.formats.envelope import shortened

if TYPE_CHECKING:
    import pyarrow as pa

Bad = dict[int, str]
"""Why rows cannot be used, by their index."""
Convert = Callable[["pa.Array[Any]"], "pa.Array[Any]"]
Checked = tuple["pa.Array[Any]", Bad]
"""Values, and what is wrong with some."""


def exact(written: pa.Array[Any], convert: Convert, wanted: str, name: str) -> Checked:
    """Convert all, or find by halving those that cannot be: few bad ones cost little."""
    import pyarrow as pa

    bad: Bad = {}

    def part(start: int, values: pa.Array[Any]) -> list[pa.Array[Any]]:
        try:
            return [convert(values)]
        except pa.ArrowInvalid:
            if len(values) == 1:
                bad[start] = f"column {name!r}: '{shortened(values[0].as_py())}' is not {wanted}"
                return [pa.nulls(1, convert(pa.nulls(1, values.type)).type)]
        half = len(values) // 2
        return [*part(start, values[:half]), *part(start + half, values[half:])]

    parts = part(0, written)
    return (parts[0] if len(parts) == 1 else pa.concat_arrays(parts)), bad


def conversion(column: Column) -> Convert:
    """How texts become the column's type; Arrow's own casts are strict for dates and times."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_binary(column.type):
        return _base64
    if column.format is not None:
        return lambda values: _by_format(values, column)
    return lambda values: pc.cast(values, column.type)


def wanted_form(column: Column) -> str:
    """What a reason says that a value should have been."""
    import pyarrow as pa

    if column.format is not None:
        return f"of the form {column.format}"
    if pa.types.is_binary(column.type):
        return "base64"
    if pa.types.is_date(column.type):
        return "a date as 2024-12-31"
    if pa.types.is_timestamp(column.type) and column.type.tz is not None:
        return "a time with its zone as 2024-12-31T23:59:59.123456Z"
    if pa.types.is_timestamp(column.type):
        return "a time without zone as 2024-12-31T23:59:59.123456"
    return f"{'an' if str(column.type)[0] in 'aeiou' else 'a'} {column.type} exactly"


def _base64(values: pa.Array[Any]) -> pa.Array[Any]:
    # Few columns are binary, and Arrow has no function for it.
    import base64
    import binascii

    import pyarrow as pa

    def bytes_of(text: str | None) -> bytes | None:
        return None if text is None else base64.b64decode(text, validate=True)

    try:
        return pa.array([bytes_of(one) for one in values.to_pylist()], pa.binary())
    except (binascii.Error, ValueError) as error:
        raise pa.ArrowInvalid(str(error)) from error


def _by_format(values: pa.Array[Any], column: Column) -> pa.Array[Any]:
    import duckdb
    import pyarrow as pa

    from etl_platform.core.duck import literal, sealed

    kind = "TIMESTAMPTZ" if getattr(column.type, "tz", None) else "TIMESTAMP"
    form = literal(str(column.format))
    with sealed() as con:
        con.register("written", pa.table({"v": values}))
        try:
            found = con.sql(f"SELECT CAST(strptime(v, {form}) AS {kind}) FROM written")
            return found.to_arrow_table().column(0).combine_chunks().cast(column.type)
        except (duckdb.InvalidInputException, duckdb.ConversionException) as error:
            raise pa.ArrowInvalid(str(error)) from error
