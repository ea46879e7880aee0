"""Whether records go on when their columns are no longer those of the table, and who is told."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import dagster as dg

from etl_platform.components.downstream import drift_report
from etl_platform.components.setting_apart import SettingApart
from etl_platform.core.errors import SchemaMismatch
from etl_platform.sources.database.drift import ColumnDrift, compare

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from etl_platform.core.names import TableName
    from etl_platform.lakehouse import Lake
    from etl_platform.sources.api.records.tables import ExtractedTable

_BATCH_ROWS = 65_536
_FIXES = {
    "freeze": "see that the readers can take it, then run once with schema_change: evolve",
    "quarantine": "look at what the API sends now; load the table anew with schema_change: any",
    "evolve": "set schema_change: quarantine to go on with what fits, or any and load the whole "
    "table anew to follow the API",
}


@dataclass(frozen=True, slots=True)
class ColumnPolicy:
    """One table's policy.

    A column that no record has is no change: APIs leave out what is null.

    Args:
        choice: ``evolve``, ``freeze``, ``quarantine`` or ``any``.
        replaces: whether the whole table is replaced, so that ``any`` has its way.
        key: columns without which the rest means nothing.
        own: columns of the lake's table that are the platform's.
        constants: text columns that rows which are set apart get, such as their partition.
    """

    table: TableName
    choice: str
    replaces: bool
    key: tuple[str, ...]
    own: frozenset[str]
    constants: dict[str, str]

    def known(self, lake: Lake) -> pa.Schema | None:
        """The table's columns; None where there is no table, or they do not matter."""
        import pyarrow as pa

        if not lake.exists(self.table) or self.follows:
            return None
        return pa.schema([one for one in lake.schema(self.table) if one.name not in self.own])

    @property
    def follows(self) -> bool:
        """Whether the table takes whatever comes."""
        return self.choice == "any" and self.replaces

    def check(
        self, context: dg.AssetExecutionContext, lake: Lake, found: pa.Schema
    ) -> tuple[ColumnDrift, ...]:
        """What changed.

        Raises:
            SchemaMismatch: the policy does not allow it; names each column, and each asset and
                column downstream.
        """
        from etl_platform.core.types import lake_type

        known = self.known(lake)
        if known is None:
            return ()
        drift = tuple(
            one
            for one in compare(
                {one.name: one.type for one in known},
                {one.name: lake_type(one.type, one.name) for one in found},
            )
            if one.change != "removed"
        )
        if not drift:
            return ()
        report = drift_report(context, drift, dg.AssetKey(self.table.key))
        if wrong := self._refused(drift):
            raise SchemaMismatch(
                f"{self.table}: the records have other columns than the table, and schema_change "
                f"is {self.choice}; nothing was published:\n{report}",
                valid=wrong,
                fix=_FIXES.get(self.choice, _FIXES["evolve"]),
            )
        context.log.warning(
            "%s: the records have other columns than the table, schema_change is %s:\n%s",
            self.table, self.choice, report,
        )  # fmt: skip
        return drift

    def _refused(self, drift: tuple[ColumnDrift, ...]) -> str | None:
        """What would have been accepted, if this is not."""
        match self.choice:
            case "freeze":
                return "the columns that the table has"
            case "quarantine":
                lost = [d for d in drift if d.column in self.key and not d.fits]
                return f"any change but of the columns {', '.join(self.key)}" if lost else None
            case _:
                return None if all(one.fits for one in drift) else "new columns and wider types"

    def nothing(self, lake: Lake) -> pa.RecordBatchReader:
        """No rows, in the table's columns."""
        import pyarrow as pa

        schema = pa.schema([one for one in lake.schema(self.table) if one.name not in self.own])
        return pa.RecordBatchReader.from_batches(schema, [])

    @contextmanager
    def rows(
        self, lake: Lake, found: ExtractedTable, drift: tuple[ColumnDrift, ...]
    ) -> Generator[tuple[object, str | None]]:
        """The rows to publish, and a SELECT of those that are set apart, if any are."""
        if not found.schema.names and lake.exists(self.table):
            yield self.nothing(lake), None
            return
        known = self.known(lake)
        if known is None:
            yield found.reader(), None
            return
        reader = _filled_up(found.reader(), known)
        if self.choice != "quarantine" or not drift:
            yield reader, None
            return
        fields = {one.name: one.type for one in known}
        apart = SettingApart(self.table, fields, drift, self.constants)
        with apart.split(lake, reader) as split:
            yield split


def as_reader(rows: object) -> pa.RecordBatchReader:
    """What :meth:`ColumnPolicy.rows` gives, for another connection of DuckDB to read."""
    import pyarrow as pa

    if isinstance(rows, pa.RecordBatchReader):
        return rows
    return cast("duckdb.DuckDBPyRelation", rows).to_arrow_reader(_BATCH_ROWS)


def _filled_up(reader: pa.RecordBatchReader, known: pa.Schema) -> pa.RecordBatchReader:
    """The same rows with all columns of the table; null where no record has them."""
    import pyarrow as pa

    missing = [one for one in known if one.name not in reader.schema.names]
    if not missing:
        return reader
    whole = pa.schema([*reader.schema, *missing])

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in reader:
            nulls = [pa.nulls(batch.num_rows, one.type) for one in missing]
            yield pa.RecordBatch.from_arrays([*batch.columns, *nulls], schema=whole)

    return pa.RecordBatchReader.from_batches(whole, batches())
