"""Which rows of the lake a load brings: a whole version, or what was appended since another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from etl_platform.core.duck import quote
from etl_platform.core.errors import PermanentError, SchemaMismatch, UnknownName

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_platform.core.names import TableName
    from etl_platform.core.settings import Settings
    from etl_platform.core.staged import DataFile
    from etl_platform.lakehouse import Lake


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows that DuckDB can read any number of times, always the same ones.

    ``relation`` can stand after FROM; ``schema`` are its columns in lake types. ``version`` is the
    version of ``source`` that they complete.
    """

    source: str
    version: int | None
    relation: str
    schema: pa.Schema
    settings: Settings

    def renamed(self, columns: Mapping[str, str]) -> Rows:
        """Only these columns: the target's name -> the lake's name.

        Raises:
            UnknownName: the lake has no such column.
        """
        import pyarrow as pa

        for name in columns.values():
            if name not in self.schema.names:
                raise UnknownName("column", name, self.schema.names, where=self.source)
        chosen = ", ".join(f"{quote(old)} AS {quote(new)}" for new, old in columns.items())
        return Rows(
            self.source,
            self.version,
            f"(SELECT {chosen} FROM {self.relation})",
            pa.schema([self.schema.field(old).with_name(new) for new, old in columns.items()]),
            self.settings,
        )

    def valid_from(self, column: str, moment: datetime) -> Rows:
        """With a further column that holds the moment in every row.

        Raises:
            SchemaMismatch: there is such a column already.
        """
        import pyarrow as pa

        if column in self.schema.names:
            raise SchemaMismatch(
                f"{self.source} has a column {column!r} itself, which the history would fill",
                fix="name other columns for the history, or load without this one",
            )
        literal = moment.astimezone(UTC).isoformat(sep=" ", timespec="microseconds")
        return Rows(
            self.source,
            self.version,
            f"(SELECT *, TIMESTAMPTZ '{literal}' AS {quote(column)} FROM {self.relation})",
            self.schema.append(pa.field(column, pa.timestamp("us", "UTC"))),
            self.settings,
        )


def rows_of(lake: Lake, table: TableName, version: int | None = None) -> Rows:
    """All rows of one version (default: the newest).

    Raises:
        UnknownName: there is no such table or version.
    """
    snapshot = lake.snapshot(table, version)
    return Rows(
        table.sql, snapshot.version, snapshot.relation_sql(), snapshot.schema, lake.settings
    )


def appended_rows(lake: Lake, table: TableName, after: int | None) -> Rows:
    """The rows that commits after version ``after`` appended; all rows when it is None.

    Raises:
        PermanentError: a commit since then did more than append, so that appending to the target
            would not follow the table.
    """
    from etl_platform.lakehouse import Mode

    newest = lake.snapshot(table)
    if after is None:
        return rows_of(lake, table, newest.version)
    files: dict[str, DataFile] = {}
    for commit in sorted(lake.history(table), key=lambda c: c.version):
        if not after < commit.version <= newest.version:
            continue
        mode = commit.receipt.mode if commit.receipt is not None else None
        if mode is Mode.COMPACT:
            continue
        if mode is not Mode.APPEND:
            raise PermanentError(
                f"{table}: version {commit.version} was made by {mode or commit.operation!r}, and "
                f"the target was loaded up to version {after} by appending",
                fix="load the target with mode replace or upsert",
            )
        older = {file.path for file in lake.files(table, commit.version - 1)}
        files |= {f.path: f for f in lake.files(table, commit.version) if f.path not in older}
    relation = newest.relation_sql(tuple(files.values()))
    return Rows(table.sql, newest.version, relation, newest.schema, lake.settings)
