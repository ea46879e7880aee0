"""What is known of the tables of a query without reading a row: log, profiles, policies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from etl_platform.core.names import TableName
from etl_platform.core.types import duckdb_type
from etl_platform.lakehouse.bounds import file_bounds
from etl_platform.planner.catalog import Catalog
from etl_platform.planner.parsing import parse
from etl_platform.planner.plan import TableInput
from etl_platform.planner.tables import Schema

if TYPE_CHECKING:
    from etl_platform.lakehouse.log import Snapshot
    from etl_platform.quality import Profile
    from etl_platform.quality.profile import ColumnProfile

_SPREAD_FILES = 200
_APART = 0.5
_REPEATED = 0.95


@dataclass(frozen=True)
class TableKnowledge:
    """One table of a query.

    Attributes:
        columns: lower-case name to DuckDB type, of those that the role sees; an empty text for a
            type that a mask may have changed.
        rows: of the whole version; None where the role does not see all rows.
        files_total: of the whole version; ``files_read`` are left after pruning.
        size_bytes: of the files that are left.
        partition_by: lower-case names.
        profile: None when there is none, and where the role does not see the table as it is.
        snapshot: the version, for its bounds; None where the role does not see the table as it is.
    """

    name: TableName
    version: int
    columns: Mapping[str, str]
    rows: int | None = None
    files_total: int = 0
    files_read: int = 0
    rows_read: int = 0
    size_bytes: int = 0
    partition_by: tuple[str, ...] = ()
    profile: Profile | None = None
    snapshot: Snapshot | None = field(default=None, repr=False)

    @property
    def withheld(self) -> bool:
        """Whether a policy changes what is seen of it: then nothing is told of its values."""
        return self.snapshot is None

    @cached_property
    def _profiles(self) -> Mapping[str, ColumnProfile]:
        columns = () if self.profile is None else self.profile.columns
        return {column.name.lower(): column for column in columns}

    def profile_of(self, column: str) -> ColumnProfile | None:
        """The profile of a column, by its lower-case name."""
        return self._profiles.get(column)

    def repeats(self, columns: Iterable[str]) -> bool:
        """Whether rows surely share their values of these columns: there are too few values."""
        if self.profile is None or not self.profile.rows:
            return False
        values, rows = 1.0, self.profile.rows
        for name in columns:
            known = self.profile_of(name)
            if known is None or known.distinct is None:
                return False
            rows = min(rows, self.profile.rows - known.nulls)  # nulls meet nothing in a join
            values *= max(known.distinct, 1) * (1 + known.distinct_error)
        return values < _REPEATED * rows

    def is_key(self, columns: Iterable[str]) -> bool:
        """Whether the profile holds these columns, or some of them, for a key."""
        if self.profile is None:
            return False
        given = set(columns)
        return any({c.lower() for c in key.columns} <= given for key in self.profile.keys)

    def bounds(self, column: str) -> tuple[tuple[object, object], ...]:
        """Smallest and largest value of each file where the log knows both."""
        if self.snapshot is None or self.files_total > _SPREAD_FILES:
            return ()
        names = {name.lower(): name for name in self.snapshot.schema.names}
        if column not in names:
            return ()
        table = file_bounds(self.snapshot, [names[column]])
        pairs = zip(table["lo_0"].to_pylist(), table["hi_0"].to_pylist(), strict=True)
        return tuple((low, high) for low, high in pairs if low is not None and high is not None)

    def apart(self, column: str) -> bool:
        """Whether a condition on the column can leave out files.

        It is a partition column, or a file's smallest value lies in at most half of the files.
        """
        if self.files_total < 2:
            return False
        return column in self.partition_by or overlap(self.bounds(column)) <= _APART


def overlap(bounds: tuple[tuple[object, object], ...]) -> float:
    """The share of files that may hold the smallest value of one of them; 1 when not known."""
    if len(bounds) < 2:
        return 1.0
    try:
        held = sum(low <= value <= high for value, _ in bounds for low, high in bounds)  # pyright: ignore[reportOperatorIssue] - values of one column compare
    except TypeError:
        return 1.0
    return held / len(bounds) ** 2


def knowledge(catalog: Catalog, inputs: Iterable[TableInput]) -> dict[TableName, TableKnowledge]:
    """What is known of the inputs of a plan, by table.

    Of a table that a policy changes only the names of the visible columns: estimates and findings
    from its profile or its files' bounds would tell of hidden rows and values.
    """
    found: dict[TableName, TableKnowledge] = {}
    for table in inputs:
        if table.view_sql is not None:
            seen = parse(table.view_sql).named_selects
            columns = dict.fromkeys((name.lower() for name in seen), "")
            found[table.table] = TableKnowledge(table.table, table.version, columns)
            continue
        snapshot = catalog.snapshot(table.table)
        found[table.table] = TableKnowledge(
            name=table.table,
            version=table.version,
            columns={f.name.lower(): duckdb_type(f.type) for f in snapshot.schema},
            rows=snapshot.rows,
            files_total=table.files_total,
            files_read=len(table.uris),
            rows_read=table.rows,
            size_bytes=table.size_bytes,
            partition_by=tuple(name.lower() for name in snapshot.partition_by),
            profile=catalog.profile(table.table),
            snapshot=snapshot,
        )
    return found


def schema_of(known: Mapping[TableName, TableKnowledge]) -> Schema:
    """The columns of the tables, as names are resolved with."""
    return {
        name: {column: kind or "UNKNOWN" for column, kind in table.columns.items()}
        for name, table in known.items()
    }
