"""Where a planner learns about tables: names, versions, files, profiles, rollups."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from etl_platform.core.names import TableName

if TYPE_CHECKING:
    from etl_platform.lakehouse.lake import Lake
    from etl_platform.lakehouse.log import Snapshot
    from etl_platform.quality import Profile


@dataclass(frozen=True, slots=True)
class Rollup:
    """A table that holds the answer to an aggregation over others.

    Attributes:
        table: where the rows are.
        sql: the SELECT with GROUP BY that made them, in DuckDB's dialect.
    """

    table: TableName
    sql: str


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
    """The tables of a lake.

    Args:
        lake: whose tables.
        rollups: tables that hold aggregations of others.
    """

    def __init__(self, lake: Lake, rollups: tuple[Rollup, ...] = ()) -> None:
        self._lake = lake
        self._rollups = rollups

    def names(self) -> Collection[TableName]:
        return self._lake.names()

    def snapshot(self, table: TableName) -> Snapshot:
        return self._lake.snapshot(table)

    def rollups(self) -> tuple[Rollup, ...]:
        return self._rollups

    def profile(self, table: TableName) -> Profile | None:
        return self._lake.profile(table)
