"""Columns of a schema as the converters use them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from etl_platform.sources.files.options import FileOptions
from etl_platform.sources.stream.formats.columns import Column, columns_of

if TYPE_CHECKING:
    import pyarrow as pa


def declared_columns(options: FileOptions) -> tuple[Column, ...]:
    """What ``columns`` and ``types`` declare.

    Raises:
        ConfigError: two of them read the same field.
    """
    declared = {**options.types, **(options.columns or {})}
    return columns_of(declared) if declared else ()


def columns_of_schema(schema: pa.Schema, options: FileOptions) -> tuple[Column, ...]:
    """One column for each field; declared ones keep their format, unit and whether required."""
    declared = {column.name: column for column in declared_columns(options)}
    return tuple(
        declared[field.name]
        if field.name in declared and declared[field.name].type.equals(field.type)
        else column_of_type(field.name, field.type)
        for field in schema
    )


def column_of_type(name: str, kind: Any) -> Column:
    """A column with what is within it."""
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return Column(
            name, kind, (name,), fields=tuple(column_of_type(one.name, one.type) for one in kind)
        )
    if pa.types.is_list(kind):
        return Column(name, kind, (name,), items=column_of_type("element", kind.value_type))
    return Column(name, kind, (name,))
