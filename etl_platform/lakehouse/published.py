"""A published version seen as a batch, for everything that looks at staged files."""

from __future__ import annotations

import uuid
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etl_platform.core.duck import connect, literal, quote
from etl_platform.core.errors import PermanentError, UnknownName
from etl_platform.core.staged import ColumnStats, DataFile, Staged
from etl_platform.lakehouse.log import Snapshot
from etl_platform.lakehouse.profiles import partition_profile
from etl_platform.quality.profiling import profile_staged

if TYPE_CHECKING:
    import duckdb

    from etl_platform.core.settings import Settings
    from etl_platform.lakehouse.lake import Lake
    from etl_platform.quality import Profile


@dataclass(frozen=True, slots=True)
class View:
    """One version of a table, or a partition of it; ``columns`` None means all."""

    snapshot: Snapshot
    partition: Mapping[str, Any] | None = None
    columns: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        known = self.snapshot.schema.names
        for name in self.columns or ():
            if name not in known:
                raise UnknownName("column", name, known, where=self.snapshot.table.sql)

    @property
    def names(self) -> tuple[str, ...]:
        """The chosen columns, in the order of the table."""
        every = self.snapshot.schema.names
        return tuple(every if self.columns is None else [n for n in every if n in self.columns])

    @property
    def files(self) -> tuple[DataFile, ...]:
        if self.partition is None:
            return self.snapshot.files
        found = self.snapshot.within(self.partition)
        if not found:
            wanted = ", ".join(f"{c}={v}" for c, v in self.partition.items())
            known = sorted(
                {", ".join(f"{c}={v}" for c, v in f.partition_values.items()) for f in self._all}
            )
            raise UnknownName("partition", wanted, known, where=self.snapshot.table.sql)
        return found

    @property
    def _all(self) -> tuple[DataFile, ...]:
        return self.snapshot.files


@contextmanager
def as_staged(
    settings: Settings, view: View
) -> Generator[tuple[duckdb.DuckDBPyConnection, Staged]]:
    """A session, and the version's files as if they had just been staged.

    The log's bounds are not exact, so only its null counts are taken. Where a file lacks a column
    that was added later, the rows are copied into the spill folder first.
    """
    import pyarrow as pa

    schema = pa.schema([view.snapshot.schema.field(name) for name in view.names])
    with connect(settings) as con:
        view.snapshot.root.fetch(view.snapshot.table, view.files)
        if view.snapshot.uniform:
            yield con, Staged(view.snapshot.table, schema, tuple(map(_without_bounds, view.files)))
            return
        copy = Path(settings.temp_dir) / f"{uuid.uuid4().hex}.parquet"
        columns = ", ".join(map(quote, view.names))
        relation = view.snapshot.relation_sql(view.files)
        try:
            con.execute(f"COPY (SELECT {columns} FROM {relation}) TO {literal(str(copy))}")
            rows = sum(file.rows for file in view.files)
            file = DataFile(copy.name, str(copy), rows, copy.stat().st_size)
            yield con, Staged(view.snapshot.table, schema, (file,) if rows else ())
        finally:
            copy.unlink(missing_ok=True)


def _without_bounds(file: DataFile) -> DataFile:
    nulls = {name: ColumnStats(stats.null_count) for name, stats in file.columns.items()}
    return DataFile(file.path, file.uri, file.rows, file.size_bytes, {}, nulls)


def kept_profile(lake: Lake, view: View) -> Profile | None:
    """The full profile that was made when the rows were published; None when there is none."""
    snapshot = view.snapshot
    try:
        if view.partition is None:
            found = lake.profile(snapshot.table, snapshot.version)
        else:
            found = partition_profile(lake.root, snapshot, view.partition)
    except PermanentError:
        return None  # Partitions of different types cannot be merged: the rows can be looked at.
    return None if found is None else narrowed(found, view.columns)


def made_profile(settings: Settings, view: View) -> Profile:
    """The full profile, made now by reading the rows."""
    with as_staged(settings, view) as (con, staged):
        return profile_staged(con, staged, "full")


def narrowed(profile: Profile, columns: Sequence[str] | None) -> Profile:
    """The profile of some columns; a score of all columns would be wrong of them."""
    if columns is None:
        return profile
    chosen = set(columns)
    sketch = profile.sketch
    return profile.model_copy(
        update={
            "columns": tuple(c for c in profile.columns if c.name in chosen),
            "correlations": tuple(c for c in profile.correlations if {c.left, c.right} <= chosen),
            "keys": tuple(k for k in profile.keys if chosen.issuperset(k.columns)),
            "dependencies": tuple(
                d for d in profile.dependencies if {d.determinant, d.dependent} <= chosen
            ),
            "score": None,
            "sketch": None
            if sketch is None
            else sketch.model_copy(
                update={"columns": tuple(c for c in sketch.columns if c.name in chosen)}
            ),
        }
    )
