"""Many JSON objects parsed at once by Arrow's reader, which keeps numbers as they are written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from etl_platform.sources.stream.formats.conversion import written_schema, written_type

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_platform.sources.stream.formats.columns import Column

_ALONE = 8
"""Messages that are looked at one by one rather than halved again."""
_LINE_BREAK = 10
_Unknown = Literal["ignore", "error"]
_Tree = dict[str, "_Tree | pa.DataType"]


def parsed(
    values: pa.Array[Any],
    columns: tuple[Column, ...],
    *,
    halve: bool,
    unknown: _Unknown = "ignore",
) -> tuple[list[pa.Table], list[int]]:
    """Parse sound values: those that could be, in their order, and the indices of the others.

    Args:
        values: each one JSON object (``screen.sound``).
        halve: look for the ones that cannot be parsed; otherwise it is all or none.
        unknown: whether fields that no column reads make a message one of the others.
    """
    import pyarrow as pa

    joined = _wire_schema(columns)
    parts: list[pa.Table] = [written_schema(columns).empty_table()]
    left: list[int] = []

    def part(start: int, some: pa.Array[Any]) -> None:
        if len(some) == 0:
            return
        try:
            parts.append(_flat(_read(some, joined, unknown), columns))
        except (pa.ArrowInvalid, UnicodeDecodeError):
            if not halve or len(some) <= _ALONE:
                left.extend(range(start, start + len(some)))
                return
            half = len(some) // 2
            part(start, some[:half])
            part(start + half, some[half:])

    part(0, _on_one_line(values))
    return parts, left


def _on_one_line(values: pa.Array[Any]) -> pa.Array[Any]:
    # In sound JSON a line break stands only between values: inside a text it is escaped.
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    held: list[Any] = values.buffers()
    _, offsets, data = held
    if data is None or offsets is None:
        return values
    ends = np.frombuffer(offsets, np.int32)[values.offset :]
    text = np.frombuffer(data, np.uint8)[ends[0] : ends[len(values)]]
    if not (text == _LINE_BREAK).any():
        return values
    return pc.replace_substring(values.cast(pa.string()), "\n", " ").cast(pa.binary())


def _read(values: pa.Array[Any], schema: pa.Schema, unknown: _Unknown) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import json

    whole = pa.ListArray.from_arrays(pa.array([0, len(values)], pa.int32()), values)
    joined: Any = pc.binary_join(whole, b"\n")
    text = joined[0].as_buffer()
    source: Any = pa.BufferReader(text)
    table = json.read_json(
        source,
        # One block: none of a block's edges can lie within a message.
        json.ReadOptions(use_threads=False, block_size=text.size + 1),
        json.ParseOptions(explicit_schema=schema, unexpected_field_behavior=unknown),
    )
    if table.num_rows != len(values):
        raise pa.ArrowInvalid(f"{table.num_rows} objects in {len(values)} messages")
    return table


def _wire_schema(columns: tuple[Column, ...]) -> pa.Schema:
    import pyarrow as pa

    tree: _Tree = {}
    for column in columns:
        at = tree
        for name in column.path[:-1]:
            inner = at.setdefault(name, {})
            assert isinstance(inner, dict)  # no path leads through another's value
            at = inner
        at[column.path[-1]] = written_type(column)
    return pa.schema(list(_struct(tree)))


def _struct(tree: _Tree) -> pa.StructType:
    import pyarrow as pa

    return pa.struct(
        [
            pa.field(name, _struct(inner) if isinstance(inner, dict) else inner)
            for name, inner in tree.items()
        ]
    )


def _flat(table: pa.Table, columns: tuple[Column, ...]) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    found: list[Any] = []
    for column in columns:
        values: Any = table.column(column.path[0])
        if len(column.path) > 1:
            values = pc.struct_field(values, list(column.path[1:]))
        found.append(values)
    return pa.table(found, names=[column.name for column in columns])
