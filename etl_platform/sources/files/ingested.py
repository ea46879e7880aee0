"""What was read of a place of files, before it is published."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from etl_platform.core.duck import literal, quote, read_parquet
from etl_platform.core.errors import SchemaMismatch
from etl_platform.core.objects import ObjectInfo
from etl_platform.core.sessions import session
from etl_platform.core.settings import Settings
from etl_platform.sources.files.agreement import FILE_COLUMN
from etl_platform.sources.files.units import Outcome, Unit

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


@dataclass
class Ingested:
    """What was read.

    Attributes:
        units: with the rows, in the order of their first keys.
        changed: objects that became others, or went, before they were read: for another look.
        reused: how many objects were read by an earlier load that was cut off.
    """

    units: list[Unit] = field(default_factory=list[Unit])
    changed: list[ObjectInfo] = field(default_factory=list[ObjectInfo])
    reused: int = 0

    @property
    def loaded(self) -> Iterator[Outcome]:
        """The good objects."""
        return (one for unit in self.units for one in unit.outcomes if one.reason is None)

    @property
    def bad(self) -> Iterator[Outcome]:
        """The others."""
        return (one for unit in self.units for one in unit.outcomes if one.reason is not None)

    def reader(self, schema: pa.Schema) -> pa.RecordBatchReader:
        """All rows, in columns that hold those of each unit, and the key of each row's object."""
        import pyarrow as pa

        whole = schema.append(pa.field(FILE_COLUMN, pa.string()))
        return pa.RecordBatchReader.from_batches(whole, self._batches(whole))

    @contextmanager
    def rows(
        self, settings: Settings, schema: pa.Schema
    ) -> Generator[pa.RecordBatchReader | duckdb.DuckDBPyRelation]:
        """As :meth:`reader`; with copies of Parquet files a relation that reads those itself.

        Valid within the context, and read once.
        """
        import pyarrow as pa

        whole = schema.append(pa.field(FILE_COLUMN, pa.string()))
        units = [unit for unit in self.units if unit.rows is not None]
        copies = [unit for unit in units if unit.is_copy]
        if not copies or any(unit.schema != whole for unit in units):
            # What does not fit is told by the reader.
            yield self.reader(schema)
            return
        others = Ingested([unit for unit in units if not unit.is_copy])
        columns = ", ".join(map(quote, schema.names))
        parts = [
            f"SELECT {columns}, {literal(one.outcomes[0].key)} AS {quote(FILE_COLUMN)} "
            f"FROM {read_parquet([str(one.rows)])}"
            for one in copies
        ]
        with session(settings) as con:
            if others.units:
                con.register("read_rows", others.reader(schema))
                parts.append("FROM read_rows")
            yield con.sql(" UNION ALL BY NAME ".join(parts))

    def _batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        for unit in self.units:
            for batch in unit.batches():
                yield batch if batch.schema.equals(schema) else _conformed(batch, schema)


def _conformed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    arrays: list[pa.Array[Any]] = []
    for one in schema:
        if one.name not in batch.schema.names:
            arrays.append(pa.nulls(batch.num_rows, one.type))
            continue
        try:
            arrays.append(batch.column(one.name).cast(one.type))
        except pa.ArrowInvalid as error:
            raise SchemaMismatch(
                f"column {one.name!r}: a value does not fit {one.type}, which other files need: "
                f"{error}",
                fix=f"declare types: {{{one.name}: ...}}",
            ) from error
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
