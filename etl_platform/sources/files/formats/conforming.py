"""Batches of files that state their types -> the schema that was asked for, exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from etl_platform.sources.files.errors import BadFile

if TYPE_CHECKING:
    import pyarrow as pa


def conformed(batch: pa.RecordBatch, schema: pa.Schema, where: str, first: int) -> pa.RecordBatch:
    """The batch with the schema's columns.

    Args:
        first: number of the batch's first record.

    Raises:
        BadFile: a column that the schema lacks, or a value that its type does not hold.
    """
    import pyarrow as pa

    unknown = [name for name in batch.schema.names if name not in schema.names]
    if unknown:
        raise BadFile(where, "a column that the schema does not have", column=unknown[0])
    arrays: list[pa.Array[Any]] = []
    for field in schema:
        at = batch.schema.get_all_field_indices(field.name)
        if len(at) > 1:
            raise BadFile(where, f"{len(at)} columns of one name", column=field.name)
        if not at:
            arrays.append(pa.nulls(batch.num_rows, field.type))
            continue
        values = batch.column(at[0])
        try:
            arrays.append(values if values.type.equals(field.type) else _cast(values, field.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise BadFile(
                where,
                f"{values.type} does not fit {field.type}: {error}",
                line=first,
                column=field.name,
                unit="records from",
            ) from error
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _cast(values: pa.Array[Any], kind: pa.DataType) -> pa.Array[Any]:
    import pyarrow as pa
    import pyarrow.compute as pc

    # Text is no number until somebody says so, and a number no text.
    if _is_text(values.type) != _is_text(kind):
        dictionary = pa.types.is_dictionary(values.type)
        if not (_is_text(kind) and (dictionary or pa.types.is_null(values.type))):
            raise pa.ArrowInvalid("texts and other types are not changed into each other")
    found = pc.cast(values, kind)
    times = pa.types.is_timestamp(values.type) and pa.types.is_timestamp(kind)
    if times and ("tz=" in str(values.type)) != ("tz=" in str(kind)):
        raise pa.ArrowInvalid("a time with zone is none without")
    return found


def _is_text(kind: pa.DataType) -> bool:
    from pyarrow import types as t

    return t.is_string(kind) or t.is_large_string(kind) or t.is_string_view(kind)
