"""Whether a load goes on when the source's columns changed, and who is told."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import dagster as dg

from etl_platform.components.downstream import drift_report
from etl_platform.components.setting_apart import SettingApart
from etl_platform.core.errors import SchemaMismatch
from etl_platform.sources.database.drift import ColumnDrift, compare, lake_types, live_table

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_platform.core.names import TableName
    from etl_platform.lakehouse import Lake
    from etl_platform.sources.database import Database, Extraction, TypePolicy
    from etl_platform.sources.database.tables import SourceTable

_log = logging.getLogger(__name__)
_SHOWN_CHARACTERS = 4_000


@dataclass(frozen=True, slots=True)
class Followed:
    """What a load reads after its source was looked at.

    ``source`` is the table as it is now; ``types`` what is declared of its columns; ``apart`` says
    how rows are split, where they are.
    """

    source: SourceTable | None
    types: Mapping[str, str]
    apart: SettingApart | None = None
    metadata: Mapping[str, dg.MetadataValue] = field(default_factory=dict[str, dg.MetadataValue])


@dataclass(frozen=True, slots=True)
class SchemaPolicy:
    """One table's policy.

    Args:
        table: the table in the lake.
        source: the source's table as the definitions know it; or
        query: what is read instead; its columns are those that the database tells now.
        choice: ``evolve``, ``freeze``, ``quarantine`` or ``any``.
        replaces: whether the whole table is replaced, so that ``any`` has its way.
        needed: columns without which nothing can be read: cursor, key, period.
        own: columns of the lake's table that are the platform's, not the source's.
        types: declared types.
        policy: for columns whose type has no place in the lake.
        constants: columns of each row, such as the partition.
    """

    table: TableName
    source: SourceTable | None
    query: Extraction | None
    choice: str
    replaces: bool
    needed: frozenset[str]
    own: frozenset[str]
    types: Mapping[str, str]
    policy: TypePolicy
    constants: Mapping[str, str]

    def follow(self, context: dg.AssetExecutionContext, lake: Lake, database: Database) -> Followed:
        """Look at the source's columns as they are now, before a row is read.

        Raises:
            SchemaMismatch: the policy does not allow what changed; names each column, and each
                asset and column downstream.
            PermanentError: the table is gone.
            SourceUnavailable: the database does not answer.
        """
        live = None if self.source is None else live_table(database, self.source)
        types = self.types
        if live is not None:
            names = {column.name for column in live.columns}
            types = {name: kind for name, kind in types.items() if name in names}
        now = self._now(database, live, types)
        declared = now
        if self.source is not None:
            declared = lake_types(self.source.columns, self.policy, self.types)
        loaded = lake.exists(self.table)
        known: dict[str, pa.DataType | str] = dict(declared)
        if loaded:
            known = {f.name: f.type for f in lake.schema(self.table) if f.name not in self.own}
        drift = compare(known, now)
        if not drift:
            return Followed(live, types, metadata=self._outdated(compare(declared, now)))
        report = drift_report(context, drift)
        if wrong := self._refused(drift, loaded):
            raise SchemaMismatch(
                f"{self.table}: the columns of {self._where} are no longer those of the table, "
                f"and schema_change is {self.choice}; nothing was read:\n{report}",
                valid=wrong,
                fix=_FIXES.get(self.choice, _FIXES["evolve"]),
            )
        context.log.warning(
            "%s: the columns of %s changed, schema_change is %s:\n%s",
            self.table, self._where, self.choice, report,
        )  # fmt: skip
        metadata = {
            "schema_drift": dg.MetadataValue.text(report[:_SHOWN_CHARACTERS]),
            **self._outdated(compare(declared, now)),
        }
        if self.choice != "quarantine":
            return Followed(live, types, metadata=metadata)
        # What the lake has no type for is kept as the source's text.
        as_text = {
            one.column: "string"
            for one in drift
            if one.change != "removed" and isinstance(now[one.column], str)
        }
        fields = {n: kind for n, kind in known.items() if not isinstance(kind, str)}
        apart = SettingApart(self.table, fields, drift, self.constants)
        return Followed(live, {**types, **as_text}, apart, metadata)

    @property
    def _where(self) -> str:
        return "the query" if self.source is None else self.source.full_name

    def _now(
        self, database: Database, live: SourceTable | None, types: Mapping[str, str]
    ) -> dict[str, pa.DataType | str]:
        from etl_platform.core.types import lake_type
        from etl_platform.sources.database import read_columns

        if live is not None:
            return lake_types(live.columns, self.policy, types)
        assert self.query is not None
        columns = read_columns(database, self.query)
        return {column.name: lake_type(column.type, column.name) for column in columns}

    def _refused(self, drift: tuple[ColumnDrift, ...], loaded: bool) -> str | None:
        """What would have been accepted, if this is not."""
        match self.choice:
            case "freeze":
                return "the columns that the table has, unchanged"
            case "any" if self.replaces:
                return None
            case "quarantine":
                lost = [d for d in drift if d.column in self.needed and d.change != "widened"]
                needs = ", ".join(sorted(self.needed))
                return f"any change but of the columns {needs}" if lost else None
            case _:
                if not loaded or all(one.fits for one in drift):
                    return None
                return "new columns and wider types"

    def _outdated(self, drift: tuple[ColumnDrift, ...]) -> dict[str, dg.MetadataValue]:
        """Whether the definitions describe columns that the source no longer has so."""
        if not drift:
            return {}
        text = "; ".join(map(str, drift))[:_SHOWN_CHARACTERS]
        _log.info(
            "%s: definitions are older than the source (%s): dg utils refresh-defs-state",
            self.table, text,
        )  # fmt: skip
        return {"definitions_outdated": dg.MetadataValue.text(text)}


_FIXES = {
    "freeze": "see that the readers can take it; then run once with schema_change: evolve, or, "
    "where a column is removed or of another type, with any and a full refresh",
    "quarantine": "restore the columns in the source, or load the table anew with "
    "schema_change: any and a full refresh",
    "evolve": "restore the columns in the source; or set schema_change: quarantine to go on with "
    "what fits, or any and run a full refresh to give the table the source's columns",
}
