"""Where a planner learns about tables: names, versions, files, profiles, rollups."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

from etl_platform.core.errors import UnknownName
from etl_platform.core.names import TableName
from etl_platform.core.types import duckdb_type

if TYPE_CHECKING:
    from etl_platform.lakehouse.lake import Lake
    from etl_platform.lakehouse.log import Snapshot
    from etl_platform.quality import Profile

_Stamp: TypeAlias = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Rollup:
    """A table that holds the answer to an aggregation over others.

    Attributes:
        table: where the rows are.
        version: of the table, to which all else belongs.
        sql: the SELECT with GROUP BY that made them, in DuckDB's dialect.
        inputs: the tables that it read, and the version of each.
        floats: whether sums of floats may be added up, which depend on the order of rows.
        columns: of the table, with DuckDB types, in order.
        rows: of the table.
    """

    table: TableName
    version: int
    sql: str
    inputs: Mapping[TableName, int]
    floats: bool
    columns: Mapping[str, str]
    rows: int


class Catalog(Protocol):
    """Everything that planning asks about tables."""

    def names(self) -> Collection[TableName]:
        """Every table that exists."""
        ...

    def snapshot(self, table: TableName) -> Snapshot:
        """The newest version of a table.

        Raises:
            UnknownName: it does not exist, with the nearest name.
        """
        ...

    def rollups(self) -> tuple[Rollup, ...]:
        """Tables that may answer aggregations over other tables."""
        ...

    def profile(self, table: TableName) -> Profile | None:
        """The profile of the table's newest version, if one was kept."""
        ...


class LakeCatalog:
    """The tables of a lake. One serves many plans: opened versions are kept until newer ones come.

    Args:
        lake: whose tables.
    """

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._rollups: dict[TableName, tuple[Snapshot, Rollup | None]] = {}
        self._opened: dict[TableName, tuple[_Stamp, Snapshot]] = {}

    def names(self) -> Collection[TableName]:
        return self._lake.names()

    def snapshot(self, table: TableName) -> Snapshot:
        opened = self._opened.get(table)
        if opened is not None and opened[0] == _stamp(opened[1]):
            return opened[1]
        snapshot = self._lake.snapshot(table)
        stamp = _stamp(snapshot)
        if stamp is not None:
            self._opened[table] = (stamp, snapshot)
        return snapshot

    def rollups(self) -> tuple[Rollup, ...]:
        """What the newest commits of the tables that were noted as rollups say."""
        from etl_platform.lakehouse.rollup_index import declared

        found: list[Rollup] = []
        for table in declared(self._lake.root):
            try:
                snapshot = self.snapshot(table)
            except UnknownName:
                continue
            known = self._rollups.get(table)
            if known is None or known[0] is not snapshot:
                known = self._rollups[table] = (snapshot, _rollup(snapshot))
            if known[1] is not None:
                found.append(known[1])
        return tuple(found)

    def profile(self, table: TableName) -> Profile | None:
        return self._lake.profile(table)


def _rollup(snapshot: Snapshot) -> Rollup | None:
    """What a version says about itself, if it is a rollup."""
    from etl_platform.lakehouse.origin import Origin

    origin = Origin.of(snapshot.annotations())
    if origin is None or origin.rollup is None or origin.sql is None:
        return None
    return Rollup(
        snapshot.table,
        snapshot.version,
        origin.sql,
        origin.inputs,
        floats=origin.rollup == "approximate",
        columns={field.name: duckdb_type(field.type) for field in snapshot.schema},
        rows=snapshot.rows,
    )


def _stamp(snapshot: Snapshot) -> _Stamp | None:
    """Which commit a version is, while it is the newest: two looks at a local folder.

    None when a later commit exists, and for a lake in a bucket, where looking costs as much as
    opening. Commits are numbered without gaps and never change, so the newest one is the one
    without a successor; inode and time tell a table that was deleted and made again.
    """
    if not snapshot.root.is_folder:
        return None
    log, version = Path(snapshot.uri) / "_delta_log", snapshot.version
    if (log / f"{version + 1:020}.json").exists():
        return None
    try:
        found = (log / f"{version:020}.json").stat()
    except FileNotFoundError:
        return None
    return (version, found.st_ino, found.st_mtime_ns)
