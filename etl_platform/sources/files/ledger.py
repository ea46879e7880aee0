"""What of a place of files is in a table: every object with the version that was looked at last.

A ledger is a Parquet file, sorted by key as listings are, and never changed: a load writes the next
one. It is read as a stream, so that memory does not grow with the number of objects.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from etl_platform.core.duck import literal, read_parquet
from etl_platform.core.objects import ObjectInfo
from etl_platform.core.sessions import session

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One object.

    Attributes:
        key, etag, size_bytes: which version of which object.
        rows: how many rows the table has of it; of an earlier version where this one is bad.
        reason: why this version was not loaded; None where it was.
        part: the partition that it belongs to; None in tables without.
    """

    key: str
    etag: str
    size_bytes: int
    rows: int
    reason: str | None = None
    part: str | None = None

    def is_of(self, info: ObjectInfo) -> bool:
        """Whether this is the version that a listing tells of."""
        return self.etag == info.etag and self.size_bytes == info.size_bytes


def read_ledger(path: Path | None, part: str | None = None) -> Iterator[Entry]:
    """The entries in the order of their keys.

    Args:
        path: None is a ledger without entries.
        part: only those of one partition.
    """
    import pyarrow.parquet as pq

    if path is None:
        return
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_BATCH_ROWS):
            columns = (column.to_pylist() for column in batch.columns)
            for entry in map(Entry, *columns):
                if part is None or entry.part == part:
                    yield entry


def write_ledger(
    before: Path | None, entries: Sequence[Entry], gone: Iterable[str], target: Path
) -> None:
    """Write the ledger that follows another one.

    Args:
        before: what it follows; None where there is none.
        entries: what is new or has changed; replaces the entry of the same key.
        gone: keys whose entries are left out.
    """
    import pyarrow as pa

    schema = _schema()
    columns = [[getattr(one, name) for one in entries] for name in schema.names]
    fresh = pa.Table.from_arrays(
        [pa.array(values, f.type) for f, values in zip(schema, columns, strict=True)],
        schema=schema,
    )
    dropped = pa.table({"key": pa.array([*gone, *(one.key for one in entries)], pa.string())})
    kept = ""
    with session() as con:
        con.register("fresh", fresh)
        con.register("dropped", dropped)
        if before is not None:
            old = read_parquet([str(before)])
            kept = f"UNION ALL BY NAME SELECT * FROM {old} ANTI JOIN dropped USING (key)"
        con.execute(
            f"COPY (SELECT * FROM fresh {kept} ORDER BY key) TO {literal(str(target))} "
            "(FORMAT parquet, CODEC zstd)"
        )


def _schema() -> pa.Schema:
    import pyarrow as pa

    kinds = {"size_bytes": pa.int64(), "rows": pa.int64()}
    return pa.schema([(f.name, kinds.get(f.name, pa.string())) for f in dataclasses.fields(Entry)])
