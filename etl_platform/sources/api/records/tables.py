"""The tables that records become: their columns, each record once, the largest cursor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etl_platform.core.errors import ConfigError
from etl_platform.sources.api.incremental import Largest
from etl_platform.sources.api.records.nesting import ChildTable, children, exploded, is_child
from etl_platform.sources.api.records.repeated import kept_by_key
from etl_platform.sources.api.records.store import RecordStore
from etl_platform.sources.stream.formats.columns import Column

if TYPE_CHECKING:
    import numpy as np
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
    _child: ChildTable | None = None

    def reader(self) -> pa.RecordBatchReader:
        """All rows; a new reader each time."""
        import pyarrow as pa

        return pa.RecordBatchReader.from_batches(self.schema, self._batches())

    def _batches(self) -> Iterator[pa.RecordBatch]:
        for batch in self._layout.batches(self._child):
            if self._child is not None:
                yield exploded(batch, self._layout.primary_key, self._child)
            else:
                yield batch.select(self.schema.names)


@dataclass(frozen=True)
class Layout:
    """How the records of a store become rows.

    Attributes:
        kept: which of the records; None: all.
        records: how many are kept.
        cursor: the largest value of the cursor's column.
    """

    store: RecordStore
    columns: tuple[Column, ...]
    untyped: tuple[str, ...]
    primary_key: tuple[str, ...]
    explode: bool
    kept: np.ndarray[Any, np.dtype[np.bool_]] | None
    records: int
    cursor: str | None

    @classmethod
    def of(cls, store: RecordStore, resource: ResourceOptions) -> Layout:
        """Find columns, repeated records and the largest cursor.

        Raises:
            SchemaMismatch: values without an exact place, or records without a key.
            BadResponse: pages repeat records, and nothing identifies those.
            ConfigError: the key or the cursor is none of the columns.
        """
        columns, untyped = store.columns()
        key = tuple(resource.primary_key)
        if store.records == 0:
            return cls(store, columns, untyped, key, resource.nested == "explode", None, 0, None)
        if store.hashes is not None:
            store.hashes.check()
        largest = None
        wanted = list(_named(columns, key, "primary_key"))
        if resource.incremental is not None:
            (cursor,) = _named(columns, (resource.incremental.cursor,), "incremental: cursor")
            largest = Largest(cursor)
            wanted += [] if cursor in wanted else [cursor]

        def keys() -> Iterator[pa.RecordBatch]:
            for batch in store.batches(tuple(wanted)):
                if largest is not None and resource.incremental is not None:
                    largest.add(batch.column(resource.incremental.cursor))
                yield batch.select(list(key))

        kept = None
        if key:
            kept = kept_by_key(keys())
        elif largest is not None:
            for _ in keys():
                pass
        return cls(
            store,
            columns,
            untyped,
            key,
            resource.nested == "explode",
            kept,
            store.records if kept is None else int(kept.sum()),
            None if largest is None else largest.text,
        )

    def tables(self) -> tuple[ExtractedTable, ...]:
        """The resource's own table, then the child tables.

        Raises:
            ConfigError: a child table would have two columns of one name.
        """
        import pyarrow as pa

        whole = pa.schema([pa.field(one.name, one.type) for one in self.columns])
        if not self.explode or not self.columns:
            return (ExtractedTable("", whole, self.primary_key, self),)
        own = pa.schema([one for one in whole if not is_child(one.type)])
        below = tuple(
            ExtractedTable(child.name, child.schema, child.key, self, child)
            for child in children(whole, self.primary_key)
        )
        return (ExtractedTable("", own, self.primary_key, self), *below)

    def batches(self, child: ChildTable | None) -> Iterator[pa.RecordBatch]:
        """The kept records, with the columns that a table needs."""
        import pyarrow as pa

        columns = self.columns
        if child is not None:
            columns = tuple(
                one for one in columns if one.name in (*self.primary_key, child.path[0])
            )
        elif self.explode:
            columns = tuple(one for one in columns if not is_child(one.type))
        first = 0
        for batch in self.store.batches(columns):
            rows = batch.num_rows
            if self.kept is not None:
                batch = batch.filter(pa.array(self.kept[first : first + rows]))
            yield batch
            first += rows


def _named(columns: tuple[Column, ...], names: tuple[str, ...], option: str) -> Iterator[Column]:
    by_name = {one.name: one for one in columns}
    for name in names:
        if name not in by_name:
            raise ConfigError(
                f"{option}: {name!r} is none of the columns", valid=", ".join(by_name)
            )
        yield by_name[name]
