"""Records as Arrow, exactly: parsed together, those that Arrow's reader refuses one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from etl_platform.core.errors import SchemaMismatch
from etl_platform.sources.stream.formats.columns import Column
from etl_platform.sources.stream.formats.conversion import written_schema
from etl_platform.sources.stream.formats.json import parsing, rest, single
from etl_platform.sources.stream.formats.pieces import Pieces

if TYPE_CHECKING:
    import pyarrow as pa

_SHOWN = 3


def decode(records: Sequence[bytes], columns: tuple[Column, ...], first: int) -> pa.RecordBatch:
    """One row per record, in order.

    Args:
        records: each one sound JSON object.
        first: number of the first record, for errors.

    Raises:
        SchemaMismatch: values that have no exact place in their column, with their records.
    """
    import numpy as np
    import pyarrow as pa

    values = pa.array(records, pa.binary())
    pieces = Pieces()
    parts, left = parsing.parsed(values, columns, halve=True)
    together = np.setdiff1d(np.arange(len(records)), left, assume_unique=True)
    pieces.add(together, pa.concat_tables(parts))
    if left:
        _one_by_one(records, columns, left, pieces)
    payloads = pieces.payloads(columns)
    if payloads.reasons:
        raise _refused(payloads.reasons, first)
    return _one_batch(payloads.columns)


def as_text(record: bytes, names: frozenset[str]) -> bytes:
    """The record with some of its fields as the text of their JSON, numbers as written.

    Raises:
        SchemaMismatch: it has one of its fields twice.
    """
    found = single.parse(record)
    names_there = [name for name, _ in found]
    if len(set(names_there)) < len(names_there):
        twice = next(name for name in names_there if names_there.count(name) > 1)
        raise SchemaMismatch(f"a record has the field {twice!r} more than once")
    changed = single.Object(
        (name, rest.text_of(value) if name in names and value is not None else value)
        for name, value in found
    )
    return rest.text_of(changed).encode()


def _one_by_one(
    records: Sequence[bytes], columns: tuple[Column, ...], left: list[int], pieces: Pieces
) -> None:
    import numpy as np
    import pyarrow as pa

    rows: list[dict[str, Any]] = []
    good: list[int] = []
    for index in left:
        try:
            rows.append(single.written(single.parse(records[index]), columns))
        except single.Unusable as error:
            pieces.reasons[index] = str(error)
        else:
            good.append(index)
    if rows:
        schema = written_schema(columns)
        pieces.add(np.array(good, np.int64), pa.Table.from_pylist(rows, schema))


def _refused(reasons: Mapping[int, str], first: int) -> SchemaMismatch:
    shown = [f"record {first + row}: {why}" for row, why in sorted(reasons.items())[:_SHOWN]]
    more = f" (and {len(reasons) - _SHOWN} more)" if len(reasons) > _SHOWN else ""
    return SchemaMismatch(
        "; ".join(shown) + more,
        fix="declare a type that holds these values, or json_text: [FIELD] to keep their text",
    )


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    import pyarrow as pa

    batches = table.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], table.schema)
