"""One SQL model in a run: its inputs pinned to a version each, its rows streamed to the gate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import dagster as dg

from etl_platform.components.assets import LAKE_KEY, Event
from etl_platform.core.duck import connect
from etl_platform.core.errors import PermanentError
from etl_platform.core.names import TableName
from etl_platform.publishing.publish import Publication, publish
from etl_platform.resources import LakeResource

if TYPE_CHECKING:
    from etl_platform.lakehouse import Lake
    from etl_platform.quality import Contract
    from etl_platform.quality.profile import LevelChoice
    from etl_platform.transforms.sql_models import SqlModel


@dataclass(frozen=True, slots=True)
class ModelRun:
    """A model, the contract that its rows must keep, and how much their profile says."""

    model: SqlModel
    contract: Contract
    profile: LevelChoice = "auto"

    def run(self, context: dg.AssetExecutionContext) -> Iterator[Event]:
        """Bind the SQL over the lake as it is now, and publish what it gives.

        Raises:
            PermanentError: an input has no data yet, or DuckDB refuses the SQL.
        """
        from etl_platform.compute.duckdb_engine import run

        resource = cast("LakeResource", getattr(context.resources, LAKE_KEY))
        lake = resource.lake()
        versions: dict[TableName, int] = {}
        with connect(resource.settings()) as con:
            relation = run(
                con,
                self.model.sql,
                lambda table: self._pin(lake, table, versions),
                where=str(self.model.path),
            )
            pinned = ", ".join(f"{table}@{version}" for table, version in versions.items())
            extra: dict[str, dg.MetadataValue] = {"engine": dg.MetadataValue.text("duckdb")}
            if pinned:
                extra["input_versions"] = dg.MetadataValue.text(pinned)
            yield from publish(context, resource, relation, self._publication(versions, extra))

    def _pin(self, lake: Lake, table: TableName, versions: dict[TableName, int]) -> str:
        if not lake.exists(table):
            raise PermanentError(
                f"{self.model.table} reads {table}, which has no data yet",
                fix=f"materialise {'/'.join(table.key)} first",
            )
        snapshot = lake.snapshot(table)
        versions[table] = snapshot.version
        return snapshot.relation_sql()

    def _publication(
        self, versions: Mapping[TableName, int], extra: Mapping[str, dg.MetadataValue]
    ) -> Publication:
        from etl_platform.lakehouse import Mode, Origin

        model = self.model
        mode = Mode(model.materialization)
        return Publication(
            table=model.table,
            contract=self.contract,
            mode=mode,
            key=model.key,
            partition_by=model.partition_by,
            # A replaced table follows its SQL: whoever writes one writes the other.
            schema_change="any" if mode is Mode.REPLACE else "evolve",
            profile=self.profile,
            descriptions=model.column_descriptions,
            origin=Origin(
                versions,
                model.lineage or None,
                model.sql,
                rollup=None if model.header.rollup is None else model.header.rollup.floats,
            ),
            extra=extra,
        )
