"""Rows that go when a batch comes: those with given values in a column, or in several."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from etl_platform.core.duck import quote, read_parquet
from etl_platform.core.errors import UnknownName
from etl_platform.core.sessions import session
from etl_platform.core.settings import Settings
from etl_platform.core.staged import DataFile
from etl_platform.lakehouse.log import Snapshot


class Leaving(Protocol):
    """The rows that a batch takes the place of, however they are told."""

    def others_sql(self, relation: str) -> str:
        """DuckDB SQL for after FROM: the rows of a relation that stay."""
        ...

    def touched(self, settings: Settings, current: Snapshot) -> tuple[tuple[DataFile, ...], int]:
        """The files that hold such rows, and how many these are."""
        ...


@dataclass(frozen=True, slots=True)
class Replaced:
    """The rows that a batch takes the place of.

    Attributes:
        column: a text column of the table.
        uri: a Parquet file on this machine whose only column has that name: the values, each once.
    """

    column: str
    uri: str

    def others_sql(self, relation: str) -> str:
        """DuckDB SQL for after FROM: the rows of a relation that stay."""
        return (
            f"(SELECT * FROM {relation} ANTI JOIN {read_parquet([self.uri])} AS gone "
            f"USING ({quote(self.column)}))"
        )

    def touched(self, settings: Settings, current: Snapshot) -> tuple[tuple[DataFile, ...], int]:
        """The files that hold such rows, and how many these are.

        Files are left out by their bounds; of the others only the one column is read.

        Raises:
            UnknownName: the table has no such column.
        """
        if self.column not in current.schema.names:
            raise UnknownName("column", self.column, current.schema.names, where=current.table.sql)
        values, column = read_parquet([self.uri]), quote(self.column)
        with session(settings) as con:
            low, high = con.execute(
                f"SELECT min({column}), max({column}) FROM {values}"
            ).fetchall()[0]
            if low is None:
                return (), 0
            candidates = tuple(f for f in current.files if _overlaps(f, self.column, low, high))
            if not candidates:
                return (), 0
            relation = current.relation_sql(candidates, with_filename=True)
            hits: dict[str, int] = dict(
                con.execute(
                    f"SELECT filename, count(*) FROM {relation} "
                    f"SEMI JOIN {values} AS gone USING ({column}) GROUP BY filename"
                ).fetchall()
            )
        return tuple(file for file in candidates if file.uri in hits), sum(hits.values())


@dataclass(frozen=True, slots=True)
class Keys:
    """Values of some columns together.

    Attributes:
        columns: of the table.
        uri: a Parquet file on this machine that has these columns: every combination once.
        nulls: whether a value may be null, which is equal to null here.
    """

    columns: tuple[str, ...]
    uri: str
    nulls: bool = True

    def matches(self, rows: str, keys: str) -> str:
        """A condition under which a row of the alias ``rows`` has the key of the alias ``keys``."""
        # Equality that knows nulls costs DuckDB the bounds by which it skips parts of files.
        equals = "IS NOT DISTINCT FROM" if self.nulls else "="
        return " AND ".join(f"{rows}.{quote(c)} {equals} {keys}.{quote(c)}" for c in self.columns)


@dataclass(frozen=True, slots=True)
class ReplacedKeys:
    """The rows whose key is in any of some sets, which may be of different columns."""

    sets: tuple[Keys, ...]
    _touched: dict[int, tuple[tuple[DataFile, ...], int]] = field(
        default_factory=dict[int, tuple[tuple[DataFile, ...], int]], compare=False, repr=False
    )

    def others_sql(self, relation: str) -> str:
        """DuckDB SQL for after FROM: the rows of a relation that stay."""
        for keys in self.sets:
            relation = (
                f"(SELECT stays.* FROM {relation} AS stays ANTI JOIN {read_parquet([keys.uri])} "
                f"AS key ON {keys.matches('stays', 'key')})"
            )
        return relation

    def touched(self, settings: Settings, current: Snapshot) -> tuple[tuple[DataFile, ...], int]:
        """The files that hold such rows, and how many these are; of a version looked for once.

        Files are left out by their bounds; of the others only the key columns are read.

        Raises:
            UnknownName: the table lacks a column.
        """
        if current.version not in self._touched:
            self._touched[current.version] = self._look(settings, current)
        return self._touched[current.version]

    def _look(self, settings: Settings, current: Snapshot) -> tuple[tuple[DataFile, ...], int]:
        for column in (column for keys in self.sets for column in keys.columns):
            if column not in current.schema.names:
                raise UnknownName("column", column, current.schema.names, where=str(current.table))
        with session(settings) as con:
            found: dict[str, DataFile] = {}
            for keys in self.sets:
                bounds = ", ".join(f"min({quote(c)}), max({quote(c)})" for c in keys.columns)
                row = con.execute(f"SELECT {bounds} FROM {read_parquet([keys.uri])}").fetchall()[0]
                limits = dict(zip(keys.columns, zip(row[::2], row[1::2], strict=True), strict=True))
                found |= {f.path: f for f in current.files if _may_hold(f, keys, limits)}
            if not found:
                return (), 0
            relation = current.relation_sql(tuple(found.values()), with_filename=True)
            goes = " OR ".join(
                f"EXISTS (FROM {read_parquet([keys.uri])} AS key "
                f"WHERE {keys.matches('goes', 'key')})"
                for keys in self.sets
            )
            hits: dict[str, int] = dict(
                con.execute(
                    f"SELECT filename, count(*) FROM {relation} AS goes WHERE {goes} GROUP BY ALL"
                ).fetchall()
            )
        return tuple(f for f in found.values() if f.uri in hits), sum(hits.values())


def _may_hold(file: DataFile, keys: Keys, limits: Mapping[str, tuple[Any, Any]]) -> bool:
    return keys.nulls or all(
        low is None or _overlaps(file, column, low, high) for column, (low, high) in limits.items()
    )


def _overlaps(file: DataFile, column: str, low: Any, high: Any) -> bool:
    stats = file.columns.get(column)
    if stats is None or stats.min is None or stats.max is None:
        return True
    try:
        return bool(stats.min <= high and low <= stats.max)
    except TypeError:
        # A bound of another type after a widening tells nothing; the join decides.
        return True
