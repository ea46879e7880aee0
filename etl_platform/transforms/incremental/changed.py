"""What became of an input since a version: which files came and went, and which rows differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from etl_platform.core.duck import quote
from etl_platform.core.errors import EtlError
from etl_platform.core.names import TableName
from etl_platform.core.staged import DataFile
from etl_platform.core.types import duckdb_type
from etl_platform.lakehouse.lake import Lake
from etl_platform.lakehouse.log import Snapshot
from etl_platform.lakehouse.opening import open_snapshot
from etl_platform.transforms.incremental.state import Pin


@dataclass(frozen=True)
class Change:
    """An input between two of its versions.

    Attributes:
        old, new: the versions.
        added, removed: files of which one version knows and the other does not.
    """

    old: Snapshot
    new: Snapshot
    added: tuple[DataFile, ...]
    removed: tuple[DataFile, ...]

    @property
    def table(self) -> TableName:
        return self.new.table

    def new_rows_sql(self) -> str:
        """DuckDB SQL for after FROM: the rows of the files that came, with all columns."""
        return self.new.relation_sql(self.added)

    def rows_sql(self, columns: Sequence[str]) -> str:
        """The rows that differ in some columns, those that came and those that went.

        Rows that were only written again, into another file, cancel out.
        """
        came = f"SELECT {_listed(columns, self.new)} FROM {self.new.relation_sql(self.added)}"
        if not self.removed:
            return f"({came})"
        went = f"SELECT {_listed(columns, self.old)} FROM {self.old.relation_sql(self.removed)}"
        return (
            f"(WITH came AS MATERIALIZED ({came}), went AS MATERIALIZED ({went}) "
            "(FROM came EXCEPT ALL FROM went) UNION ALL (FROM went EXCEPT ALL FROM came))"
        )


@dataclass(frozen=True, slots=True)
class Gone:
    """A version that nothing can be compared with any more, and why."""

    why: str


def change_of(lake: Lake, new: Snapshot, since: Pin) -> Change | Gone | None:
    """What became of a table since a version; None when its files are the same."""
    pin = Pin.of(new)
    if pin.identity != since.identity or pin.version < since.version:
        return Gone(f"{new.table} was made again")
    try:
        old = open_snapshot(lake.root, new.table, since.version)
        if old is None:
            return Gone(f"{new.table} was made again")
        before = {file.path: file for file in old.files}
    except EtlError as error:
        return Gone(f"{new.table} can no longer be read at version {since.version}: {error.what}")
    after = {file.path: file for file in new.files}
    added = tuple(file for path, file in after.items() if path not in before)
    removed = tuple(file for path, file in before.items() if path not in after)
    if not added and not removed:
        return None
    if lake.root.is_folder:
        lost = [file.path for file in removed if not Path(file.uri).exists()]
        if lost:
            return Gone(f"{new.table}: files of version {since.version} were vacuumed")
    else:
        try:
            lake.root.fetch(new.table, removed)
        except EtlError:
            return Gone(f"{new.table}: files of version {since.version} were vacuumed")
    return Change(old, new, added, removed)


def types_of(snapshot: Snapshot) -> Mapping[str, str]:
    """Columns of a version with their DuckDB types, in order."""
    return {field.name: duckdb_type(field.type) for field in snapshot.schema}


def _listed(columns: Sequence[str], snapshot: Snapshot) -> str:
    present = {name.lower() for name in snapshot.schema.names}
    return ", ".join(
        quote(name) if name.lower() in present else f"NULL AS {quote(name)}" for name in columns
    )
