"""The tables that records become: their columns, each record once, the largest cursor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl_platform.sources.api.records.decoding import decode
from etl_platform.sources.api.records.inferring import DigitsNeeded, columns_from
from etl_platform.sources.api.records.store import RecordStore
from etl_platform.sources.stream.formats.columns import Column, columns_of

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_platform.sources.api.resources import ResourceOptions


@dataclass(frozen=True)
class ExtractedTable:
    """One table of an extraction.

    Attributes:
        name: ``""`` for the resource's own.
        primary_key: the columns that identify a row; none where nothing is known.
    """

    name: str
    schema: pa.Schema
    primary_key: tuple[str, ...]
    _layout: Layout

    def reader(self) -> pa.RecordBatchReader:
        """All rows; a new reader each time."""
        import pyarrow as pa

        return pa.RecordBatchReader.from_batches(self.schema, self._layout.batches())


@dataclass(frozen=True)
class Layout:
    """How the records of a store become rows."""

    store: RecordStore
    columns: tuple[Column, ...]
    untyped: tuple[str, ...]
    primary_key: tuple[str, ...]
    records: int
    duplicates: int
    cursor: str | None

    @classmethod
    def of(cls, store: RecordStore, resource: ResourceOptions, known: pa.Schema | None) -> Layout:
        """Find columns, repeated records and the largest cursor."""
        columns, untyped = _columns(store, resource, known)
        key = tuple(resource.primary_key)
        return cls(store, columns, untyped, key, store.records, 0, None)

    def tables(self) -> tuple[ExtractedTable, ...]:
        """The resource's own table, then the child tables."""
        import pyarrow as pa

        schema = pa.schema([pa.field(one.name, one.type) for one in self.columns])
        return (ExtractedTable("", schema, self.primary_key, self),)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows."""
        first = 1
        for records in self.store.chunks():
            yield decode(records, self.columns, first)
            first += len(records)


def _columns(
    store: RecordStore, resource: ResourceOptions, known: pa.Schema | None
) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    if resource.columns is not None:
        return columns_of(resource.columns), ()
    declared = columns_of(resource.types) if resource.types else ()
    try:
        return columns_from(store.shape(), declared, known)
    except DigitsNeeded:
        return columns_from(store.shape(exactly=True), declared, known)
