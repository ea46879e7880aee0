"""How one table gets from the lake into files, decided when definitions load."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import dagster as dg

from etl_platform.components.assets import LAKE_KEY, Event
from etl_platform.components.file_sink.options import FileOptions
from etl_platform.components.sinking import note_sent, refused
from etl_platform.core.names import TableName
from etl_platform.publishing.budget import Entry, fit
from etl_platform.publishing.checks import table_value
from etl_platform.publishing.columns import columns_of, lineage_entry, schema_entry
from etl_platform.resources import FilesResource, LakeResource

if TYPE_CHECKING:
    from etl_platform.sinks.files import FileReceipt, TableVersion

FITS = "fits_format"
COMPLETE = "files_complete"


@dataclass(frozen=True, slots=True)
class SinkFiles:
    """One table of the place; ``asset`` is its name among the assets, ``folder`` its default."""

    asset: TableName
    folder: str
    options: FileOptions
    sink_key: str

    @property
    def key(self) -> dg.AssetKey:
        return dg.AssetKey(self.asset.key)

    @property
    def source(self) -> TableName:
        return TableName.parse(self.options.source)

    def check_specs(self) -> list[dg.AssetCheckSpec]:
        """The gate blocks the export; looking at the files comes after it and tells."""
        return [
            dg.AssetCheckSpec(
                FITS,
                asset=self.key,
                description="The format gives every value back exactly as the lake has it.",
                blocking=True,
            ),
            dg.AssetCheckSpec(
                COMPLETE,
                asset=self.key,
                description="All files that the manifest names are there, in their size.",
            ),
        ]

    def run(self, context: dg.AssetExecutionContext) -> Iterator[Event]:
        """Export, and look for the files.

        Raises:
            TransientError, PermanentError: as the lake and the place raise them.
        """
        from etl_platform.lakehouse import External
        from etl_platform.lakehouse.destinations import Destination
        from etl_platform.sinks.database import GateViolation
        from etl_platform.sinks.files import FileSink, table_version

        lake = cast("LakeResource", getattr(context.resources, LAKE_KEY)).lake()
        place = cast("FilesResource", getattr(context.resources, self.sink_key))
        sink = FileSink(place.store())
        export = self.options.export(self.folder)
        # The version is fixed here: what is published meanwhile is for the next export.
        found = table_version(lake, self.source, lake.version(self.source), self.options.columns)
        try:
            receipt = sink.export(found, export, context.run.run_id)
        except GateViolation as violation:
            what = "the format cannot hold these rows; nothing was written"
            yield refused(self.key, FITS, what, violation)
            raise
        if receipt.skipped is not None:
            context.log.info("%s: nothing is written, %s", receipt.target, receipt.skipped)
        if receipt.not_removed is not None:
            context.log.warning("%s: old files stay: %s", receipt.target, receipt.not_removed)
        external = External(self.asset.schema, receipt.format, self.asset.name)
        lineage = self.options.lineage(found.rows.schema.names)
        noted = Destination(external, lineage, receipt.source_version)
        note_sent(context, lake, self.source, noted)
        missing = sink.missing(export.folder)
        yield dg.MaterializeResult(
            asset_key=self.key,
            metadata=self._metadata(receipt, found),
            check_results=[
                dg.AssetCheckResult(passed=True, asset_key=self.key, check_name=FITS),
                self._looked(receipt, missing),
            ],
            data_version=dg.DataVersion(f"{self.source} v{receipt.source_version}"),
        )

    def _metadata(
        self, receipt: FileReceipt, found: TableVersion
    ) -> Mapping[str, dg.MetadataValue]:
        value = dg.MetadataValue
        entries = {
            "target": Entry(value.text(receipt.target)),
            "format": Entry(value.text(receipt.format)),
            "version": Entry(value.text(receipt.folder)),
            "source_version": Entry(value.int(receipt.source_version)),
            "files": Entry(value.int(receipt.files)),
            "dagster/row_count": Entry(value.int(receipt.rows)),
            "size_bytes": Entry(value.int(receipt.size_bytes)),
            "removed_files": Entry(value.int(receipt.removed_files)),
            "seconds/export": Entry(value.float(receipt.seconds)),
        }
        if receipt.skipped is not None:
            entries["skipped"] = Entry(value.text(receipt.skipped))
        schema = found.rows.schema
        entries["dagster/column_schema"] = schema_entry(columns_of(schema, {}))
        entries["dagster/column_lineage"] = lineage_entry(
            {n: [(self.source, old)] for n, old in self.options.lineage(schema.names).items()}
        )
        return fit(entries)

    def _looked(self, receipt: FileReceipt, missing: Sequence[str]) -> dg.AssetCheckResult:
        entries = {"files": Entry(dg.MetadataValue.int(receipt.files))}
        if missing:
            entries["missing"] = table_value([{"file": name} for name in missing])
        there = f"{receipt.files:,} files are there"
        return dg.AssetCheckResult(
            passed=not missing,
            asset_key=self.key,
            check_name=COMPLETE,
            severity=dg.AssetCheckSeverity.ERROR,
            description=f"{len(missing)} files are missing or cut" if missing else there,
            metadata=fit(entries),
        )
