"""Numbers in JSON that a double would change: looked for before they are parsed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from etl_platform.sources.api.records.shape import numbers_of
from etl_platform.sources.stream.formats.json import single

if TYPE_CHECKING:
    import pyarrow as pa

# Fewer than 16 digits and no exponent: every double gives such a number back.
_LONG = (r"[:,\[]\s*-?[0-9.]{16}", r"[:,\[]\s*-?[0-9.]+[eE]")


def has_doubles(kind: Any) -> bool:
    """Whether values of a type hold floating-point numbers."""
    from pyarrow import types as t

    if t.is_struct(kind):
        return any(has_doubles(one.type) for one in kind)
    return has_doubles(kind.value_type) if t.is_list(kind) else t.is_floating(kind)


def first_changed(
    values: pa.Array[Any], records: Sequence[bytes], schema: pa.Schema
) -> tuple[int, str, str] | None:
    """The first record with a number that its column would change: index, column and number."""
    import pyarrow.compute as pc

    doubtful = set[int]()
    for form in _LONG:
        found = pc.indices_nonzero(pc.match_substring_regex(values, form))
        doubtful.update(cast("list[int]", found.to_pylist()))
    for index in sorted(doubtful):
        try:
            record = single.parse(records[index])
        except single.Unusable:
            continue  # Told with its reason by whoever parses it.
        for name, value in record:
            if name in schema.names:
                number = _changed(value, schema.field(name).type)
                if number is not None:
                    return index, name, number
    return None


def _changed(value: Any, kind: Any) -> str | None:
    from pyarrow import types as t

    if t.is_floating(kind) and isinstance(value, single.Number):
        return None if numbers_of(value).in_double else str(value)
    inner: list[tuple[Any, Any]] = []
    if t.is_struct(kind) and isinstance(value, single.Object):
        types = {one.name: one.type for one in kind}
        inner = [(one, types[name]) for name, one in value if name in types]
    elif t.is_list(kind) and isinstance(value, list):
        inner = [(one, kind.value_type) for one in cast("list[Any]", value)]
    return next((bad for one, type_ in inner if (bad := _changed(one, type_)) is not None), None)
