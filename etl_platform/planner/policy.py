"""What the planner has to know about who asks: which tables, through which views, how much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from etl_platform.core.names import TableName


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one query may take; None is no limit.

    Attributes:
        rows: of the result.
        seconds: of wall clock.
        memory_bytes: of the process that runs it.
        scanned_bytes: of the files that the plan reads, after pruning.
        spill_bytes: of the disk, for what does not fit in memory while the query runs.
    """

    rows: int | None = None
    seconds: float | None = None
    memory_bytes: int | None = None
    scanned_bytes: int | None = None
    spill_bytes: int | None = None


class TablePolicies(Protocol):
    """What one role may see. Asked while planning; it never reads data."""

    @property
    def limits(self) -> Limits:
        """The role's limits."""
        ...

    def may_read(self, table: TableName) -> None:
        """Let a table be read.

        Raises:
            QueryRefused: the role may not read it.
        """
        ...

    def view_sql(
        self, table: TableName, relation_sql: str, columns: Mapping[str, str]
    ) -> str | None:
        """The SELECT over ``relation_sql`` that the role sees instead of the table.

        Args:
            relation_sql: what can stand after FROM and has all of the table's columns.
            columns: of the table, with DuckDB types, in order.

        Returns:
            None when the role sees the table as it is. A column that is seen unchanged stands in
            the SELECT list by its bare name; only then do a query's filters on it prune files.
        """
        ...
