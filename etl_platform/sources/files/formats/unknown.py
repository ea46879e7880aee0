"""Fields within structures that the schema lacks: parsing with the others would leave them out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from etl_platform.sources.stream.formats.json import single

if TYPE_CHECKING:
    from etl_platform.sources.stream.formats.columns import Column


def has_structures(column: Column) -> bool:
    """Whether fields could be missing within a column."""
    inner = column.items
    return bool(column.fields) or (inner is not None and has_structures(inner))


def first_unknown(records: Sequence[bytes], columns: tuple[Column, ...]) -> tuple[int, str] | None:
    """The first record with such a field: index, and names joined by dots.

    Columns that a declaration reads from within a structure leave the rest of that out on purpose.
    """
    whole = tuple(one for one in columns if len(one.path) == 1)
    if not any(has_structures(one) for one in whole) or _all_known(records, columns):
        return None
    by_name = {one.path[0]: one for one in whole}
    for index, record in enumerate(records):
        try:
            found = single.parse(record)
        except single.Unusable:
            continue  # Told with its reason by whoever parses it.
        for name, value in found:
            if name in by_name and (where := _unknown(value, by_name[name], name)) is not None:
                return index, where
    return None


def _all_known(records: Sequence[bytes], columns: tuple[Column, ...]) -> bool:
    """False where Arrow's reader is not sure; a value that does not fit makes it so, too."""
    import pyarrow as pa
    from pyarrow import json

    from etl_platform.sources.stream.formats.conversion import written_schema

    if any(len(one.path) > 1 for one in columns):
        return False
    text = b"\n".join(records)
    source: Any = pa.BufferReader(text)
    try:
        json.read_json(
            source,
            json.ReadOptions(use_threads=False, block_size=len(text) + 1),
            json.ParseOptions(
                explicit_schema=written_schema(columns),
                newlines_in_values=True,
                unexpected_field_behavior="error",
            ),
        )
    except (pa.ArrowInvalid, UnicodeDecodeError):
        return False
    return True


def _unknown(value: Any, column: Column, where: str) -> str | None:
    if column.fields and isinstance(value, single.Object):
        known = {one.name: one for one in column.fields}
        for name, inner in value:
            place = f"{where}.{name}"
            if name not in known:
                return place
            if (found := _unknown(inner, known[name], place)) is not None:
                return found
    elif column.items is not None and isinstance(value, list):
        for inner in cast("list[Any]", value):
            if (found := _unknown(inner, column.items, f"{where}[]")) is not None:
                return found
    return None
