"""Columns of a lake table beside the rows of a stream, from the version that a batch began with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl_platform.core.duck import quote
from etl_platform.core.errors import PermanentError
from etl_platform.core.names import TableName
from etl_platform.transforms.windows.numbering import NUMBER

if TYPE_CHECKING:
    import duckdb

    from etl_platform.lakehouse import Lake


@dataclass(frozen=True, slots=True)
class Enrichment:
    """A table that is joined to the rows.

    Attributes:
        on: columns of the rows to those of the table; together the latter identify its rows.
        columns: what is added; null where the table has no such row.
    """

    table: TableName
    on: Mapping[str, str]
    columns: tuple[str, ...]

    def joined_sql(
        self,
        con: duckdb.DuckDBPyConnection,
        lake: Lake,
        rows: str,
        versions: Mapping[int, int],
    ) -> str:
        """The rows with the table's columns, as SQL for after FROM.

        Args:
            rows: SQL for after FROM, with ``_number``.
            versions: by number of the batch, the version that its rows are joined to.

        Raises:
            UnknownName: a version is not there any more.
            PermanentError: the columns identify several rows of the table.
        """
        return (
            "("
            + " UNION ALL BY NAME ".join(
                self._of_version(con, lake, rows, version, numbers)
                for version, numbers in _batches_of(versions).items()
            )
            + ")"
        )

    def _of_version(
        self,
        con: duckdb.DuckDBPyConnection,
        lake: Lake,
        rows: str,
        version: int,
        numbers: list[int],
    ) -> str:
        table = lake.relation_sql(self.table, version)
        keys = ", ".join(quote(column) for column in self.on.values())
        twice = con.execute(
            f"SELECT {keys}, count(*) FROM {table} GROUP BY ALL HAVING count(*) > 1 LIMIT 1"
        ).fetchall()
        if twice:
            raise PermanentError(
                f"{self.table} version {version} has {twice[0][-1]} rows with "
                f"{', '.join(self.on.values())} = {', '.join(map(str, twice[0][:-1]))}",
                fix="join by columns that identify one row: each event counts once",
            )
        added = ", ".join(f"e.{quote(column)}" for column in self.columns)
        match = " AND ".join(f"r.{quote(a)} = e.{quote(b)}" for a, b in self.on.items())
        some = ", ".join(map(str, numbers))
        return (
            f"SELECT r.*, {added} FROM {rows} AS r LEFT JOIN {table} AS e ON {match} "
            f"WHERE r.{NUMBER} IN ({some})"
        )


def _batches_of(versions: Mapping[int, int]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for number, version in sorted(versions.items()):
        found.setdefault(version, []).append(number)
    return found
