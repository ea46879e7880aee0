"""What stands between an engine that wrote Parquet and the commit that makes it visible."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from etl_platform.core.names import TableName

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class ColumnStats:
    """Statistics of one top-level column in one Parquet file, as the writer measured them.

    ``min`` and ``max`` are Python values of the column's type (int, float, Decimal, date, naive or
    UTC-aware datetime, str, bytes, bool), None when unknown. ``exact`` is False when a bound was
    shortened (long strings): it still bounds the values, but need not occur.
    """

    null_count: int | None
    min: Any = None
    max: Any = None
    exact: bool = True
    has_nan: bool = False
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class DataFile:
    """One Parquet file below a table's folder.

    ``path`` is relative to the table's folder and not URL-encoded; ``uri`` is what engines open.
    ``partition_values`` holds Delta's text form per partition column, None for null.
    ``columns`` maps top-level column names to statistics; nested columns have only null counts.
    """

    path: str
    uri: str
    rows: int
    size_bytes: int
    partition_values: Mapping[str, str | None] = field(default_factory=dict[str, str | None])
    columns: Mapping[str, ColumnStats] = field(default_factory=dict[str, ColumnStats])


@dataclass(frozen=True, slots=True)
class Staged:
    """Parquet files written for a table and not yet visible to any reader.

    ``schema`` is the Arrow schema that readers will see (lake types only, see ``core.types``).
    A batch without rows has no files and still has a schema.
    """

    table: TableName
    schema: pa.Schema
    files: tuple[DataFile, ...]
    partition_by: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)

    @property
    def uris(self) -> list[str]:
        return [file.uri for file in self.files]

    def null_count(self, column: str) -> int | None:
        """Nulls in a column over all files; None when a file does not tell."""
        total = 0
        for file in self.files:
            stats = file.columns.get(column)
            if stats is None or stats.null_count is None:
                return None
            total += stats.null_count
        return total

    def bounds(self, column: str) -> tuple[Any, Any, bool] | None:
        """Smallest and largest non-null value of a column and whether both occur exactly.

        None when a file does not tell or holds NaN. A column of nulls gives ``(None, None, True)``.
        """
        lows: list[Any] = []
        highs: list[Any] = []
        exact = True
        for file in self.files:
            stats = file.columns.get(column)
            if stats is None or stats.has_nan or stats.null_count is None:
                return None
            if stats.min is None or stats.max is None:
                if stats.null_count == file.rows:
                    continue
                return None
            lows.append(stats.min)
            highs.append(stats.max)
            exact = exact and stats.exact
        return (min(lows, default=None), max(highs, default=None), exact)
