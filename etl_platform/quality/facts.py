"""What is known about staged files before any of their data is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from etl_platform.core.duck import read_parquet
from etl_platform.core.names import TableName
from etl_platform.core.staged import Staged
from etl_platform.quality.binding import empty_relation
from etl_platform.quality.values import JsonValue, json_safe

if TYPE_CHECKING:
    import pyarrow as pa

RelationOf = Callable[[TableName], str | None]
"""Gives the FROM-able DuckDB SQL of another lake table, None when that table does not exist."""


def no_tables(_: TableName) -> None:
    """A lake without tables."""


@dataclass(frozen=True, slots=True)
class Facts:
    """The staged files, their statistics, and how to reach other rows that rules refer to.

    Attributes:
        counted: columns with few distinct values: the audit counts each value of theirs, and rules
            are judged on the distinct values instead of row by row.
        existing: FROM-able SQL of the rows that stay in the table beside the staged ones.
        columns_of: the columns of a FROM-able SQL, as DuckDB binds them.
        previous_rows: rows of the batch that came before this one: those that it replaces, or those
            of the last append; None when there was none.
        now: the moment of the audit, in UTC; ages are measured against it.
        shown: a column's value as people may see it, personal data masked.
    """

    staged: Staged
    counted: frozenset[str] = frozenset()
    relation_of: RelationOf = no_tables
    existing: str | None = None
    columns_of: Callable[[str], Mapping[str, str]] = lambda _: {}
    previous_rows: int | None = None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    shown: Callable[[str, object], JsonValue] = lambda _, value: json_safe(value)

    @property
    def relation(self) -> str:
        """FROM-able SQL of all staged rows; also valid when nothing was staged."""
        if self.staged.files:
            return read_parquet(self.staged.uris)
        return empty_relation(self.staged.schema)

    @property
    def counted_columns(self) -> tuple[str, ...]:
        """The counted columns in the order of the table."""
        return tuple(f.name for f in self.staged.schema if f.name in self.counted)

    @property
    def rows(self) -> int:
        return self.staged.rows

    def kind(self, column: str) -> pa.DataType:
        """The column's lake type."""
        return self.staged.schema.field(column).type

    def nulls(self, column: str) -> int | None:
        return self.staged.null_count(column)

    def bounds(self, column: str) -> tuple[Any, Any, bool] | None:
        return self.staged.bounds(column)
