"""Counts of a SQLite file that its planner would get from ANALYZE, each made once."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from etl_platform.sources.database.advice.model import Index, Key, TableId

if TYPE_CHECKING:
    from etl_platform.sources.database.advice.quoting import Quoting

_COUNTED_ROWS = 2_000_000
"""Larger tables are counted in their first rows, as ANALYZE does with an analysis_limit."""
_SIZED_ROWS = 1_000
_ENTRY_BYTES = 8


class Counts:
    """Reads a file in its caller's transaction."""

    def __init__(self, session: sqlite3.Connection, quoting: Quoting) -> None:
        self._session, self._quoting = session, quoting
        self._known: dict[tuple[TableId, str], int] = {}

    def rows(self, table: TableId) -> int:
        """Rows of the table."""
        return self._count(table, "SELECT count(*) FROM {}")

    def per_key(self, table: TableId, keys: tuple[Key, ...]) -> float:
        """Rows that have the same value of the keys, on average; at least 1."""
        names = ", ".join(key.sql for key in keys)
        counted = min(self.rows(table), _COUNTED_ROWS)
        inner = f"SELECT {names} FROM {{}} LIMIT {_COUNTED_ROWS}"
        distinct = self._count(table, f"SELECT count(*) FROM (SELECT DISTINCT * FROM ({inner}))")
        return max(1.0, counted / max(1, distinct))

    def matching(self, table: TableId, condition: str) -> float:
        """The share of rows for which a condition holds; of the first ones, in large tables."""
        counted = max(1, min(self.rows(table), _COUNTED_ROWS))
        inner = f"SELECT ({condition}) AS kept FROM {{}} LIMIT {_COUNTED_ROWS}"
        return self._count(table, f"SELECT count(*) FROM ({inner}) WHERE kept") / counted

    def stat(self, index: Index) -> str:
        """The row of sqlite_stat1: rows, then for each prefix of the key how many are alike."""
        keys = (*index.keys, *index.include)
        alike = [self.per_key(index.table, keys[:many]) for many in range(1, len(keys) + 1)]
        return " ".join([str(self.rows(index.table)), *(str(max(1, round(a))) for a in alike)])

    def index_bytes(self, index: Index) -> int:
        """Rows times the average width of an entry: its values, their header and the rowid."""
        widths = " + ".join(
            f"coalesce(length(CAST({key.sql} AS BLOB)), 0)" for key in (*index.keys, *index.include)
        )
        inner = f"SELECT {widths} AS w FROM {{}} LIMIT {_SIZED_ROWS}"
        width = self._count(index.table, f"SELECT CAST(coalesce(avg(w), 0) AS INT) FROM ({inner})")
        return self.rows(index.table) * (width + _ENTRY_BYTES)

    def _count(self, table: TableId, text: str) -> int:
        known = (table, text)
        if known not in self._known:
            statement = text.replace("{}", self._quoting.name(table.name), 1)
            (found,) = self._session.execute(statement).fetchone()
            self._known[known] = int(found)
        return self._known[known]
