"""What a run knows of the tables upstream of its assets: checks, their results, rows set aside."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationPlanned,
)
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster_shared.check import CheckError

if TYPE_CHECKING:
    # What `repository_def.asset_graph` returns has no public name.
    from dagster._core.definitions.assets.graph.asset_graph import AssetGraph
    from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecord

_NEWEST = 1_000
"""So many results of a check are looked at for the newest of each partition."""
_EVALUATED = {
    AssetCheckExecutionRecordStatus.SUCCEEDED,
    AssetCheckExecutionRecordStatus.FAILED,
}
_PLANNED = dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED


def asset_graph(context: dg.AssetExecutionContext) -> AssetGraph:
    """The assets of the project, as far as the run knows them."""
    try:
        return context.repository_def.asset_graph
    except CheckError:
        # A job that is executed in the process that built it knows no repository, only its assets.
        return context.job_def.asset_layer.asset_graph


def partitions_read(context: dg.AssetExecutionContext, key: dg.AssetKey) -> Collection[str] | None:
    """The partitions of a table that this run reads; None where it is not known, or all."""
    step = context.get_step_execution_context()
    for name, read in context.assets_def.keys_by_input_name.items():
        if read == key and context.has_partition_key and step.has_asset_partitions_for_input(name):
            return frozenset(context.asset_partition_keys_for_input(name))
    return None


def checks_of(context: dg.AssetExecutionContext, key: dg.AssetKey) -> Collection[dg.AssetCheckKey]:
    """The checks of an asset, by the definitions or, where a run knows but its own, by the last
    run that was to make it."""
    known = asset_graph(context).get_check_keys_for_assets({key})
    planned = context.instance.event_log_storage.get_latest_planned_materialization_info(key)
    if known or planned is None:
        return known
    events = context.instance.all_logs(planned.run_id, of_type=_PLANNED)
    found = [one.dagster_event.event_specific_data for one in events if one.dagster_event]
    return {
        one.asset_check_key
        for one in found
        if isinstance(one, AssetCheckEvaluationPlanned) and one.asset_key == key
    }


def newest_results(
    context: dg.AssetExecutionContext, check: dg.AssetCheckKey, partitions: Collection[str] | None
) -> Iterable[AssetCheckExecutionRecord]:
    """The newest result of a check, of each partition that counts."""
    history = context.instance.event_log_storage.get_asset_check_execution_history
    last = history(check, 1, status=_EVALUATED)
    if not last or last[0].partition is None:
        return last
    if partitions is not None and len(partitions) == 1:
        (one,) = partitions
        return history(check, 1, status=_EVALUATED, partition_filter=PartitionKeyFilter(key=one))
    newest: dict[str | None, AssetCheckExecutionRecord] = {}
    for record in history(check, _NEWEST, status=_EVALUATED):
        if partitions is None or record.partition in partitions:
            newest.setdefault(record.partition, record)
    return newest.values()


def set_aside(
    context: dg.AssetExecutionContext, key: dg.AssetKey, partitions: Collection[str] | None
) -> Iterator[tuple[str | None, int, str]]:
    """Partitions (None if there are none) whose newest batch has rows in the quarantine."""
    for partition, metadata, run_id in _newest_made(context, key, partitions):
        rows = getattr(metadata.get("quarantined_rows"), "value", None)
        if isinstance(rows, int) and rows:
            yield partition, rows, run_id


def not_checked(
    context: dg.AssetExecutionContext, key: dg.AssetKey, partitions: Collection[str] | None
) -> Iterator[tuple[str | None, str, str]]:
    """Partitions of whose newest batch some rules could not be checked, with the reasons."""
    for partition, metadata, run_id in _newest_made(context, key, partitions):
        reasons = getattr(metadata.get("checks_not_run"), "value", None)
        if reasons:
            yield partition, str(reasons), run_id


def _newest_made(
    context: dg.AssetExecutionContext, key: dg.AssetKey, partitions: Collection[str] | None
) -> Iterator[tuple[str | None, Mapping[str, Any], str]]:
    """Metadata and run of the newest materialisation that changed something, per partition."""
    chosen = None if partitions is None else sorted(partitions)
    records = context.instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=key, asset_partitions=chosen), limit=_NEWEST
    ).records
    seen: set[str | None] = set()
    for record in records:
        made = record.asset_materialization
        if made is None or made.partition in seen or "nothing_changed" in made.metadata:
            continue
        seen.add(made.partition)
        yield made.partition, made.metadata, record.run_id
