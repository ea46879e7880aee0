"""Rows of a source whose columns changed, split into what the table can hold and the rest."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from etl_platform.core.duck import literal, quote, read_parquet
from etl_platform.core.names import TableName
from etl_platform.core.sessions import session
from etl_platform.core.types import duckdb_type
from etl_platform.sources.database.drift import ColumnDrift

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from etl_platform.core.staged import Staged
    from etl_platform.lakehouse import Lake

RULE = "schema_change"
"""What the quarantine's ``_rule`` says of these rows."""
APART = "_apart"
"""Text column of the quarantine: a JSON object of the values that the table has no place for, each
as text, whatever its type: so the quarantine's own columns never change type."""


@dataclass(frozen=True, slots=True)
class SettingApart:
    """How rows are split.

    A value fits a column when it becomes one of the column's type and back without a difference.
    A row with a value that does not fit is kept apart whole. A row with values only in new columns
    is loaded without them, and kept apart with them.

    Args:
        table: the table in the lake.
        known: its columns.
        drift: how the source's columns differ.
        constants: text columns that the quarantine's rows get, such as their partition.
    """

    table: TableName
    known: Mapping[str, pa.DataType]
    drift: tuple[ColumnDrift, ...]
    constants: Mapping[str, str] = field(default_factory=dict[str, str])

    @contextmanager
    def split(
        self, lake: Lake, rows: pa.RecordBatchReader
    ) -> Generator[tuple[duckdb.DuckDBPyRelation, str]]:
        """The rows that fit as a relation, and a SELECT of the rest; valid within the context.

        Everything is written to disk first, so that the rest is known before anything is loaded.
        """
        staged = lake.stage(self.table.quarantine, rows)
        try:
            with session(lake.settings) as con:
                yield con.sql(self.kept(staged)), self.apart(staged)
        finally:
            lake.discard(staged)

    def kept(self, staged: Staged) -> str:
        """SELECT of the rows that fit, in the known columns."""
        fits = " AND ".join(self._fits(staged, name) for name in self._changed) or "true"
        return f"SELECT {', '.join(self._columns(staged))} FROM {_rows(staged)} WHERE {fits}"

    def apart(self, staged: Staged) -> str:
        """SELECT of everything else, with the columns of a quarantine; no row where columns are
        merely gone."""
        misfit = [f"NOT {self._fits(staged, name)}" for name in self._changed]
        new = [f"{quote(name)} IS NOT NULL" for name in self._added]
        wrong = " OR ".join([*misfit, *new]) or "false"
        values = ", ".join(
            f"{literal(name)}, CASE WHEN {condition} THEN {quote(name)}::VARCHAR END"
            for name, condition in zip([*self._changed, *self._added], [*misfit, *new], strict=True)
        )
        reasons = ", ".join(
            f"CASE WHEN {condition} THEN {literal(reason)} END"
            for condition, reason in zip([*misfit, *new], self._reasons(), strict=True)
        )
        columns = [
            *self._columns(staged),
            *(f"{literal(value)} AS {quote(name)}" for name, value in self.constants.items()),
            f"{literal(RULE)} AS _rule",
            f"concat_ws('; ', {reasons or 'NULL'}) AS _reason",
            f"json_object({values})::VARCHAR AS {quote(APART)}",
        ]
        return f"SELECT {', '.join(columns)} FROM {_rows(staged)} WHERE {wrong}"

    @property
    def _added(self) -> list[str]:
        return [one.column for one in self.drift if one.change == "added"]

    @property
    def _changed(self) -> list[str]:
        return [one.column for one in self.drift if one.change in ("widened", "retyped")]

    def _reasons(self) -> list[str]:
        told = {one.column: one for one in self.drift}
        changed = [
            f"column {name} is {told[name].now} in the source, and this value does not fit "
            f"{told[name].before}: the row was not loaded"
            for name in self._changed
        ]
        added = [
            f"column {name} ({told[name].now}) is new in the source: loaded without it"
            for name in self._added
        ]
        return changed + added

    def _columns(self, staged: Staged) -> list[str]:
        told = {one.column: one.change for one in self.drift}
        columns: list[str] = []
        for name in (*self.known, *(n for n in staged.schema.names if n not in self.known)):
            match told.get(name):
                case "added":
                    continue
                case "removed":
                    columns.append(f"NULL::{duckdb_type(self.known[name])} AS {quote(name)}")
                case None:
                    columns.append(quote(name))
                case _:
                    columns.append(
                        f"CASE WHEN {self._fits(staged, name)} THEN {self._cast(name)} "
                        f"END AS {quote(name)}"
                    )
        return columns

    def _cast(self, name: str) -> str:
        return f"TRY_CAST({quote(name)} AS {duckdb_type(self.known[name])})"

    def _fits(self, staged: Staged, name: str) -> str:
        there, column = self._cast(name), quote(name)
        back = f"TRY_CAST({there} AS {duckdb_type(staged.schema.field(name).type)})"
        return f"coalesce({column} IS NULL OR {back}::VARCHAR = {column}::VARCHAR, false)"


def _rows(staged: Staged) -> str:
    if staged.files:
        return read_parquet(staged.uris)
    columns = ", ".join(f"NULL::{duckdb_type(f.type)} AS {quote(f.name)}" for f in staged.schema)
    return f"(SELECT {columns} WHERE false)"
