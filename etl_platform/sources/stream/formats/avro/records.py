"""Records from their binary form, one by one in fastavro's compiled reader."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from etl_platform.sources.stream.formats.envelope import shortened

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_platform.sources.stream.formats.avro.schema import AvroSchema


def records(
    values: list[bytes], start: int, writer: AvroSchema, reader: AvroSchema
) -> tuple[list[dict[str, Any]], dict[int, str], list[int]]:
    """Read what can be read: records, reasons by index, and the indices of the records.

    Args:
        start: where in each message the record begins.
        writer: what the messages were written with.
        reader: what they are read as, by Avro's rules of schema resolution.
    """
    from fastavro import schemaless_reader
    from fastavro.read import SchemaResolutionError

    own, other = writer.parsed, None if reader is writer else reader.parsed
    found: list[dict[str, Any]] = []
    good: list[int] = []
    reasons: dict[int, str] = {}
    for index, value in enumerate(values):
        source = io.BytesIO(value)
        source.seek(start)
        try:
            record: Any = schemaless_reader(source, own, other)
        except SchemaResolutionError as error:
            reasons[index] = f"the writer's schema cannot be read as ours: {_first_line(error)}"
        except EOFError:
            reasons[index] = f"the record goes on after the message's {len(value)} bytes"
        except IndexError:
            reasons[index] = "no record of its schema: a union or enum has no such branch"
        except _BROKEN as error:
            what = _first_line(error) or type(error).__name__
            reasons[index] = f"no record of its schema: {what}"
        else:
            if source.tell() != len(value):
                left = len(value) - source.tell()
                reasons[index] = f"{left} bytes are left after the record"
            else:
                found.append(record)
                good.append(index)
    return found, reasons, good


_BROKEN = (ValueError, KeyError, OverflowError, TypeError, ArithmeticError, MemoryError)
"""What fastavro raises on bytes that are no record of the schema."""


def table(
    found: list[dict[str, Any]], good: list[int], schema: pa.Schema
) -> tuple[pa.Table, dict[int, str], list[int]]:
    """The records as columns; those with a value that has no place in its column are told."""
    import pyarrow as pa

    try:
        return pa.Table.from_pylist(found, schema), {}, good
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        if len(found) == 1:
            why = f"a value does not fit its column: {_first_line(error)}"
            return schema.empty_table(), {good[0]: why}, []
    half = len(found) // 2
    first, why, left = table(found[:half], good[:half], schema)
    second, more, right = table(found[half:], good[half:], schema)
    return pa.concat_tables([first, second]), why | more, left + right


def _first_line(error: BaseException) -> str:
    return shortened(str(error).split("\n")[0])
