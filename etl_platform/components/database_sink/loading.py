"""How one table gets from the lake into the target, decided when definitions load."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import dagster as dg

from etl_platform.components.assets import LAKE_KEY, Event
from etl_platform.components.database_sink.options import SinkOptions
from etl_platform.components.database_sink.resource import DatabaseSinkResource
from etl_platform.components.sinking import note_sent, refused
from etl_platform.core.names import TableName
from etl_platform.publishing.budget import Entry, fit
from etl_platform.publishing.checks import table_value
from etl_platform.publishing.columns import columns_of, lineage_entry, schema_entry
from etl_platform.publishing.failures import batch_of
from etl_platform.resources import LakeResource
from etl_platform.sinks.database.load import Load, LoadMode, Target

if TYPE_CHECKING:
    from etl_platform.lakehouse import Lake
    from etl_platform.sinks.database import (
        DatabaseSink,
        LoadReceipt,
        Reconciliation,
        Rows,
        Scope,
    )

FITS = "fits_target"
RECONCILES = "reconciles"


@dataclass(frozen=True, slots=True)
class SinkTable:
    """One table of the target; ``asset`` is its name among the assets."""

    asset: TableName
    target: Target
    options: SinkOptions
    sink_key: str

    @property
    def key(self) -> dg.AssetKey:
        return dg.AssetKey(self.asset.key)

    @property
    def source(self) -> TableName:
        return TableName.parse(self.options.source)

    def check_specs(self) -> list[dg.AssetCheckSpec]:
        """The gate blocks the load; the comparison comes after it and tells."""
        specs = [
            dg.AssetCheckSpec(
                FITS,
                asset=self.key,
                description="The target can hold every row exactly as the lake has it.",
                blocking=True,
            )
        ]
        if self.options.reconcile:
            specs.append(
                dg.AssetCheckSpec(
                    RECONCILES,
                    asset=self.key,
                    description="The target's rows, read back, are those of the lake.",
                )
            )
        return specs

    def run(self, context: dg.AssetExecutionContext) -> Iterator[Event]:
        """Load and compare.

        Raises:
            TransientError, PermanentError: as the lake and the target raise them.
        """
        from etl_platform.lakehouse import External
        from etl_platform.lakehouse.destinations import Destination
        from etl_platform.sinks.database import GateViolation, rows_of

        lake = cast("LakeResource", getattr(context.resources, LAKE_KEY)).lake()
        sink = cast("DatabaseSinkResource", getattr(context.resources, self.sink_key)).sink()
        # The version is fixed here: what is published meanwhile is for the next load.
        version = lake.version(self.source)
        try:
            receipt = self._load(context, lake, sink, version)
        except GateViolation as violation:
            what = "the target cannot hold these rows; nothing was sent"
            yield refused(self.key, FITS, what, violation)
            raise
        results = [
            dg.AssetCheckResult(
                passed=True,
                asset_key=self.key,
                check_name=FITS,
                description=f"{receipt.rows_read:,} rows looked at",
            )
        ]
        whole = self._renamed(rows_of(lake, self.source, version))
        database = sink.database
        external = External(database.name, database.dialect.name, str(self.target))
        lineage = self.options.lineage(lake.schema(self.source, version).names)
        note_sent(context, lake, self.source, Destination(external, lineage, version))
        if self.options.reconcile:
            results.append(_compared(self.key, sink.reconcile(whole, self.target, self._scope())))
        yield dg.MaterializeResult(
            asset_key=self.key,
            metadata=self._metadata(receipt, whole),
            check_results=results,
            data_version=dg.DataVersion(f"{self.source} v{version}"),
        )

    def _load(
        self, context: dg.AssetExecutionContext, lake: Lake, sink: DatabaseSink, version: int
    ) -> LoadReceipt:
        from etl_platform.sinks.database import appended_rows, rows_of

        options = self.options
        batch = batch_of(context.run, None)
        if options.load_mode is LoadMode.APPEND:
            # The target itself knows how far it is: two runs cannot append the same rows.
            newest = sink.newest(self.target)
            after = newest.source_version if newest is not None else None
            if newest is not None and after == version:
                return newest.as_skipped()
            rows = appended_rows(lake, self.source, after)
            batch = f"{self.source} after v{after} to v{rows.version}"
        else:
            rows = rows_of(lake, self.source, version)
        load = Load(
            self.target,
            options.load_mode,
            batch,
            tuple(options.key),
            options.kept,
            options.history,
            run_id=context.run.run_id,
        )
        return sink.load(self._renamed(rows), load)

    def _renamed(self, rows: Rows) -> Rows:
        return rows if self.options.columns is None else rows.renamed(self.options.columns)

    def _scope(self) -> Scope:
        from etl_platform.sinks.database import Scope

        options = self.options
        if options.load_mode is LoadMode.SCD2:
            key = () if options.close_missing else tuple(options.key)
            return Scope(options.reconcile_by, key, options.history)
        key = () if options.load_mode is LoadMode.REPLACE else tuple(options.key)
        return Scope(options.reconcile_by, key)

    def _metadata(self, receipt: LoadReceipt, rows: Rows) -> Mapping[str, dg.MetadataValue]:
        value = dg.MetadataValue
        entries = {
            "target": Entry(value.text(receipt.target)),
            "mode": Entry(value.text(str(receipt.mode))),
            "source_version": Entry(value.int(receipt.source_version or 0)),
            "rows_read": Entry(value.int(receipt.rows_read)),
            "rows_inserted": Entry(value.int(receipt.rows_inserted)),
            "rows_updated": Entry(value.int(receipt.rows_updated)),
            "rows_deleted": Entry(value.int(receipt.rows_deleted)),
            "checksum": Entry(value.text(receipt.checksum)),
            "batch": Entry(value.text(receipt.batch)),
            "revertible": Entry(value.bool(receipt.revertible)),
            "seconds/load": Entry(value.float(receipt.seconds)),
        }
        if receipt.rows_total is not None:
            entries["dagster/row_count"] = Entry(value.int(receipt.rows_total))
        if receipt.skipped:
            entries["skipped"] = Entry(value.text("the target had this batch already"))
        entries["dagster/column_schema"] = schema_entry(columns_of(rows.schema, {}))
        entries["dagster/column_lineage"] = lineage_entry(
            {n: [(self.source, old)] for n, old in self.options.lineage(rows.schema.names).items()}
        )
        return fit(entries)


def _compared(key: dg.AssetKey, found: Reconciliation) -> dg.AssetCheckResult:
    value = dg.MetadataValue
    entries = {
        "lake_rows": Entry(value.int(found.lake_rows)),
        "target_rows": Entry(value.int(found.target_rows)),
        "parts": Entry(value.int(found.parts)),
        "differing_parts": Entry(value.int(found.differing_parts)),
    }
    if found.differences:
        entries["differences"] = table_value(
            [
                {
                    "part": c.part,
                    "lake_rows": c.lake_rows,
                    "target_rows": c.target_rows,
                    "columns": ", ".join(c.differing),
                }
                for c in found.differences
            ]
        )
    same = f"{found.lake_rows:,} rows are the same on both sides"
    return dg.AssetCheckResult(
        passed=found.equal,
        asset_key=key,
        check_name=RECONCILES,
        severity=dg.AssetCheckSeverity.ERROR,
        description=same if found.equal else f"{found.differing_parts} parts differ",
        metadata=fit(entries),
    )
