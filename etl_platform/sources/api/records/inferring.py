"""Columns from the records themselves: each value has an exact place, or an error says which not.

Arrow's reader finds the kinds of values of many records at once. It makes doubles of numbers that
no double holds, so records with numbers of more than 15 digits or an exponent, and all that it
refuses, are looked at one by one, with their numbers as they were written. Types follow from all
values together, never from how they came in pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from etl_platform.core.errors import SchemaMismatch
from etl_platform.sources.api.messages import BadResponse
from etl_platform.sources.api.records.shape import Numbers, Shape, shape_of_arrow
from etl_platform.sources.database.arrow_text import MAX_PRECISION
from etl_platform.sources.stream.formats.columns import Column
from etl_platform.sources.stream.formats.json import single

if TYPE_CHECKING:
    import pyarrow as pa

# A number stands behind a colon, a comma or a bracket; that also texts look so costs only time.
# Two expressions: RE2 takes sixty times as long for one that holds both.
_LONG_NUMBERS = (r"[:,\[]\s*-?[0-9.]{16}", r"[:,\[]\s*-?[0-9.]+[eE]")


class DigitsNeeded(Exception):  # never leaves the package
    """How many digits numbers have matters, and was not counted."""


def shape_of(records: Sequence[bytes], *, exactly: bool = False) -> Shape:
    """The kinds of values in some records.

    Args:
        exactly: count the digits of all numbers.

    Raises:
        BadResponse: a record cannot be read without loss.
    """
    if not records:
        return Shape(fields={})
    if not exactly:
        found = _at_once(records)
        if found is not None:
            return found
    shape = Shape(fields={})
    for record in records:
        try:
            shape.add(single.parse(record), "")
        except single.Unusable as error:
            raise BadResponse(f"a record cannot be read: {error}") from error
    return shape


def _at_once(records: Sequence[bytes]) -> Shape | None:
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import json

    text = b"\n".join(records)
    whole = pa.scalar(text, pa.large_binary())
    if any(pc.match_substring_regex(whole, form).as_py() for form in _LONG_NUMBERS):
        return None
    source: Any = pa.BufferReader(text)
    try:
        table = json.read_json(
            source,
            json.ReadOptions(use_threads=False, block_size=len(text) + 1),
            json.ParseOptions(newlines_in_values=True),
        )
    except (pa.ArrowInvalid, UnicodeDecodeError):
        return None
    return Shape(fields={one.name: shape_of_arrow(one.type) for one in table.schema})


def columns_from(
    shape: Shape, declared: Sequence[Column], known: pa.Schema | None = None
) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    """Columns that hold every value exactly, and the names of those that have no values at all.

    Args:
        declared: columns whose types are not to be found.
        known: what the table has: a column keeps its type where all values fit.

    Returns:
        the columns in the order of their first occurrence, declared ones that no record has at the
        end; and fields (names joined by dots) that are left out because all are null or empty.

    Raises:
        SchemaMismatch: values at one place are of different kinds, or have too many digits.
        DigitsNeeded: only from shapes that were not found ``exactly``.
    """
    by_source = {one.path[0]: one for one in declared}
    untyped: list[str] = []
    found: list[Column] = []
    for name, inner in (shape.fields or {}).items():
        if name in by_source:
            found += [one for one in declared if one.path[0] == name]
            continue
        there = known is not None and name in known.names
        wanted = known.field(name).type if known is not None and there else None
        column = _column(inner, name, name, wanted, untyped)
        if column is not None:
            found.append(column)
    return (*found, *(one for one in declared if one not in found)), tuple(untyped)


def _column(
    shape: Shape, name: str, where: str, known: pa.DataType | None, untyped: list[str]
) -> Column | None:
    import pyarrow as pa

    if len(shape.kinds) > 1:
        raise SchemaMismatch(
            f"field {where!r} holds {' and '.join(shape.kinds)}",
            fix=f"json_text: [{where.split('.')[0].removesuffix('[]')}] keeps the text of each "
            "value; or declare columns that leave the field out",
        )
    kind: pa.DataType | None = None
    if shape.fields is not None:
        return _structure(shape.fields, name, where, known, untyped)
    if shape.items is not None:
        inner = known.value_type if known is not None and pa.types.is_list(known) else None
        below: list[str] = []
        items = _column(shape.items, "element", f"{where}[]", inner, below)
        if items is None:
            untyped.append(where)
            return None
        untyped += below
        kind = pa.list_(pa.field("element", items.type))
        return Column(name, kind, (name,), items=items)
    if shape.booleans:
        kind = pa.bool_()
    elif shape.texts:
        kind = known if known is not None and _reads_text(known) else pa.string()
    elif shape.numbers is not None:
        kind = _number(shape.numbers, where, known)
    else:
        kind = known
    if kind is None:
        untyped.append(where)
        return None
    return _of_type(name, kind)


def _structure(
    fields: dict[str, Shape],
    name: str,
    where: str,
    known: pa.DataType | None,
    untyped: list[str],
) -> Column | None:
    import pyarrow as pa

    struct = known if known is not None and pa.types.is_struct(known) else None
    types = {one.name: one.type for one in struct} if struct is not None else {}
    below: list[str] = []
    found = [
        column
        for one, inner in fields.items()
        if (column := _column(inner, one, f"{where}.{one}", types.get(one), below)) is not None
    ]
    there = {column.name for column in found}
    found += [_of_type(one, kind) for one, kind in types.items() if one not in there]
    if not found:
        untyped.append(where)
        return None
    untyped += below
    kind = pa.struct([pa.field(one.name, one.type) for one in found])
    return Column(name, kind, (name,), fields=tuple(found))


def _of_type(name: str, kind: pa.DataType) -> Column:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        fields = tuple(_of_type(one.name, one.type) for one in kind)
        return Column(name, kind, (name,), fields=fields)
    if pa.types.is_list(kind):
        return Column(name, kind, (name,), items=_of_type("element", kind.value_type))
    return Column(name, kind, (name,))


def _number(numbers: Numbers, where: str, known: pa.DataType | None) -> pa.DataType:
    import pyarrow as pa

    if known is not None and _holds(numbers, known):
        return known
    if not numbers.fractional and numbers.in_int64:
        return pa.int64()
    if numbers.fractional and numbers.in_double:
        return pa.float64()
    if numbers.whole is None or numbers.places is None:
        raise DigitsNeeded
    if numbers.whole + numbers.places > MAX_PRECISION:
        raise SchemaMismatch(
            f"field {where!r} holds numbers of {numbers.whole} digits before the point and "
            f"{numbers.places} behind it",
            valid=f"numbers that a double gives back exactly, or {MAX_PRECISION} digits in all",
            fix=f"json_text: [{where.split('.')[0].removesuffix('[]')}] keeps them as they are "
            "written; or declare the type",
        )
    return pa.decimal128(MAX_PRECISION, numbers.places)


def _holds(numbers: Numbers, known: pa.DataType) -> bool:
    from pyarrow import types as t

    if t.is_int64(known):
        return not numbers.fractional and numbers.in_int64
    if t.is_float64(known):
        return numbers.in_double
    if not t.is_decimal(known):
        return False
    if numbers.whole is None or numbers.places is None:
        raise DigitsNeeded
    return numbers.whole <= known.precision - known.scale and numbers.places <= known.scale


def _reads_text(known: pa.DataType) -> bool:
    from pyarrow import types as t

    return t.is_string(known)
