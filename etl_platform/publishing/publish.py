"""The one place where data passes the gate on behalf of a Dagster asset."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dagster as dg

from etl_platform.core.names import TableName
from etl_platform.core.secrets import redact
from etl_platform.publishing.budget import Entry, fit, shorten_text
from etl_platform.publishing.checks import check_results, not_run
from etl_platform.publishing.columns import columns_of, lineage_entry, schema_entry
from etl_platform.publishing.failures import batch_of
from etl_platform.publishing.pictures import PICTURES, picture_entries
from etl_platform.resources import LakeResource

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_platform.lakehouse import Lake, Mode, Origin
    from etl_platform.lakehouse.gate import Admission, Aside
    from etl_platform.lakehouse.log import Snapshot
    from etl_platform.lakehouse.publish import Annotate, SchemaChange
    from etl_platform.lakehouse.replacing import Leaving
    from etl_platform.metastore import Metastore
    from etl_platform.quality import Contract
    from etl_platform.quality.profile import LevelChoice

PARTITION_COLUMN = "_partition"
"""Text column that holds the Dagster partition key in every partitioned table."""

Events = Iterator[dg.AssetCheckResult | dg.MaterializeResult[Any] | dg.Output[None]]


@dataclass(frozen=True, slots=True)
class Publication:
    """What a materialisation wants done with its data.

    ``partition`` is the Dagster partition key: the rows replace that partition, and each carries
    the key in the column ``_partition``. ``watermark`` is the column whose largest value is kept in
    the commit. ``schema_change`` is ``evolve`` or ``any``, see :meth:`Lake.publish`.
    ``profile`` is how much the profile says, see :data:`LevelChoice`.
    ``origin`` is what the rows are made from, ``descriptions`` are of columns, ``extra`` is further
    metadata of the materialisation, and ``outcome`` gives what is known only once the rows were
    read. ``apart`` is a SELECT of rows that go to the quarantine whatever the contract says.
    ``aside`` is where such rows go instead. ``notes`` are annotations of the commit.
    ``batch`` is the identity of this work; by default that of run and partition. ``unless`` is a
    batch after which nothing of this may be published any more. ``asset`` is which of a step's
    assets it is, where the step makes several. ``replaced`` are the rows that go,
    ``rejected_before`` those of the quarantine; ``annotate``
    works out annotations from those of the version before.
    """

    table: TableName
    contract: Contract
    mode: Mode
    key: tuple[str, ...] = ()
    partition_by: tuple[str, ...] = ()
    partition: str | None = None
    watermark: str | None = None
    schema_change: SchemaChange = "evolve"
    profile: LevelChoice = "auto"
    descriptions: Mapping[str, str] = field(default_factory=dict[str, str])
    origin: Origin | None = None
    extra: Mapping[str, dg.MetadataValue] = field(default_factory=dict[str, dg.MetadataValue])
    outcome: Callable[[], Mapping[str, Entry]] | None = None
    apart: str | None = None
    aside: Aside | None = None
    notes: Mapping[str, str] = field(default_factory=dict[str, str])
    batch: str | None = None
    unless: str | None = None
    asset: dg.AssetKey | None = None
    replaced: Leaving | None = None
    rejected_before: Leaving | None = None
    annotate: Annotate | None = None


def admit(
    resource: LakeResource, lake: Lake, data: object, publication: Publication, run: dg.DagsterRun
) -> Admission:
    """Send data through the gate.

    Raises:
        ContractViolation: a blocking rule is broken; nothing was published.
    """
    from etl_platform.lakehouse.gate import admit as gate_admit

    partition = publication.partition
    return gate_admit(
        lake,
        publication.table,
        data,
        publication.contract,
        mode=publication.mode,
        key=publication.key,
        partition_by=publication.partition_by if partition is None else (PARTITION_COLUMN,),
        partition=None if partition is None else {PARTITION_COLUMN: partition},
        batch=publication.batch or batch_of(run, partition),
        run_id=run.run_id,
        origin=publication.origin,
        watermark=publication.watermark,
        schema_change=publication.schema_change,
        profile=publication.profile,
        metastore=resource.metastore(),
        apart=publication.apart,
        aside=publication.aside,
        notes=publication.notes,
        unless=publication.unless,
        replaced=publication.replaced,
        rejected_before=publication.rejected_before,
        annotate=publication.annotate,
    )


def publish(
    context: dg.AssetExecutionContext,
    resource: LakeResource,
    data: object,
    publication: Publication,
) -> Events:
    """Send an asset's data through the gate and tell Dagster what happened.

    Yields:
        The result of each check and the materialisation; when a blocking rule is broken, the
        results alone, and then the run fails: readers keep the version they have.

    Raises:
        dagster.Failure: a blocking rule is broken; never retried.
    """
    from etl_platform.quality import ContractViolation

    lake = resource.lake()
    key = context.asset_key if publication.asset is None else publication.asset
    try:
        admission = admit(resource, lake, data, publication, context.run)
    except ContractViolation as violation:
        yield from check_results(key, violation.audit)
        raise violation_failure(violation) from violation
    yield dg.MaterializeResult(
        asset_key=key,
        metadata=materialization_metadata(
            lake, publication, admission, _declared(context, key), resource.metastore()
        ),
        check_results=list(check_results(key, admission.audit)),
        data_version=data_version(publication, admission),
    )
    unchecked = not_run(admission.audit)
    for name, reason in unchecked.items():
        context.log.warning("check %r of %s did not run: %s", name, publication.table, reason)
    for output_name, spec in context.assets_def.check_specs_by_output_name.items():
        if spec.name in unchecked and spec.asset_key == key:
            yield dg.Output(None, output_name=output_name)


def unchanged(
    context: dg.AssetExecutionContext,
    contract: Contract,
    snapshot: Snapshot,
    mode: Mode,
    reason: str,
) -> Events:
    """Tell Dagster that a version is still what a run would make, so that nothing was done.

    The materialisation has the data version of that one: nothing downstream becomes stale. Checks
    did not run, and none is shown as if it had.
    """
    from etl_platform.lakehouse import Origin

    receipt, origin = snapshot.history(1)[0].receipt, Origin.of(snapshot.annotations())
    whole = receipt is not None and receipt.mode == mode == "replace" and receipt.checksum
    whole = whole if snapshot.view is None else None
    value = dg.MetadataValue
    declared = _declared(context, context.asset_key)
    entries = {
        "nothing_changed": Entry(value.bool(True)),
        "skipped": Entry(value.text(reason)),
        "dagster/table_name": Entry(value.text(snapshot.table.sql)),
        "version": Entry(value.int(snapshot.version)),
        # What Dagster shows of an asset is that of its last materialisation.
        "dagster/column_schema": schema_entry(columns_of(snapshot.schema, {}, declared)),
    }
    if receipt is not None and snapshot.view is None:
        entries["dagster/row_count"] = Entry(value.int(receipt.rows_total))
    if origin is not None and origin.columns:
        entries["dagster/column_lineage"] = lineage_entry(origin.columns)
    yield dg.MaterializeResult(
        asset_key=context.asset_key,
        metadata=fit(entries),
        data_version=dg.DataVersion(
            receipt.checksum if whole and receipt is not None else f"v{snapshot.version}"
        ),
    )
    rules = {rule.name for rule in contract.rules}
    for output_name, spec in context.assets_def.check_specs_by_output_name.items():
        if spec.asset_key == context.asset_key and spec.name in rules:
            yield dg.Output(None, output_name=output_name)


def _declared(context: dg.AssetExecutionContext, key: dg.AssetKey) -> dg.TableSchema | None:
    metadata = context.assets_def.metadata_by_key.get(key, {})
    schema = metadata.get("dagster/column_schema")
    if isinstance(schema, dg.TableSchemaMetadataValue):
        return schema.value
    return schema if isinstance(schema, dg.TableSchema) else None


def violation_failure(violation: Exception) -> dg.Failure:
    """The failure of a run whose data broke a blocking rule."""
    return dg.Failure(description=redact(str(violation)), allow_retries=False)


def data_version(publication: Publication, admission: Admission) -> dg.DataVersion:
    """What Dagster compares to tell whether downstream assets are stale."""
    receipt = admission.receipt
    # Of a view nothing is kept that could be compared: its rows are others than before.
    view = publication.origin is not None and publication.origin.view
    whole = publication.mode == "replace" and receipt.checksum and not view
    return dg.DataVersion(receipt.checksum if whole else f"v{receipt.version_after}")


def materialization_metadata(
    lake: Lake,
    publication: Publication,
    admission: Admission,
    declared: dg.TableSchema | None = None,
    metastore: Metastore | None = None,
) -> dict[str, dg.MetadataValue]:
    """Everything worth seeing about a new version, within one event's budget.

    Args:
        declared: the columns as the asset's definition has them, for their keys.
        metastore: where the scores of earlier versions are, for their trend.
    """
    receipt, audit, profile = admission.receipt, admission.audit, admission.audit.profile
    schema: pa.Schema = lake.schema(publication.table, receipt.version_after)
    value = dg.MetadataValue
    entries = {
        "dagster/row_count": Entry(value.int(receipt.rows_total)),
        "dagster/table_name": Entry(value.text(publication.table.sql)),
        "dagster/uri": Entry(value.text(redact(f"{lake.uri}/{publication.table.path}"))),
        "version": Entry(value.int(receipt.version_after)),
        "mode": Entry(value.text(str(receipt.mode))),
        "rows_inserted": Entry(value.int(receipt.rows_inserted)),
        "rows_updated": Entry(value.int(receipt.rows_updated)),
        "rows_deleted": Entry(value.int(receipt.rows_deleted)),
        "size_bytes": Entry(value.int(receipt.size_bytes)),
    }
    if publication.origin is not None and publication.origin.view:
        del entries["dagster/row_count"]
        if publication.contract.rules:
            entries["dagster/row_count"] = Entry(value.int(profile.rows))
    if publication.partition is not None:
        entries["dagster/partition_row_count"] = Entry(value.int(receipt.rows_inserted))
    for stage, seconds in admission.stages.items():
        entries[f"seconds/{stage}"] = Entry(value.float(round(seconds, 3)))
    if receipt.skipped:
        entries["skipped"] = Entry(value.text("this batch had been committed before"))
    if admission.quarantine is not None:
        entries["quarantined_rows"] = Entry(value.int(admission.quarantine.rows_inserted))
        entries["quarantine_table"] = Entry(value.text(admission.quarantine.table))
    if audit.report is not None:
        entries["validation_report"] = Entry(value.path(audit.report))
    unchecked = not_run(audit)
    if unchecked:
        text = "\n".join(f"{name}: {reason}" for name, reason in unchecked.items())
        entries["checks_not_run"] = Entry(value.text(text), shorten_text(text, value.text))
    entries |= {name: Entry(extra) for name, extra in publication.extra.items()}
    if publication.outcome is not None:
        entries |= publication.outcome()
    entries["dagster/column_schema"] = schema_entry(
        columns_of(schema, publication.descriptions, declared)
    )
    if publication.origin is not None and publication.origin.columns:
        entries["dagster/column_lineage"] = lineage_entry(publication.origin.columns)
    if profile.score is not None:
        entries["quality_score"] = Entry(value.float(profile.score.total))
    if admission.profile_file is not None:
        entries["profile_file"] = Entry(value.path(str(admission.profile_file)))
    pictures = picture_entries(lake, metastore, publication.table, admission, publication.partition)
    summary = profile.summary_markdown()
    # The pictures come last: they are what is shortened first.
    entries |= {name: entry for name, entry in pictures.items() if name != PICTURES}
    entries["profile"] = Entry(value.md(summary), shorten_text(summary, value.md))
    if PICTURES in pictures:
        entries[PICTURES] = pictures[PICTURES]
    return fit(entries)
