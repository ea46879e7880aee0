"""What a run knows of the tables upstream of its assets: checks, their results, rows set aside."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

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
    if known := asset_graph(context).get_check_keys_for_assets({key}):
        return known
    planned = context.instance.event_log_storage.get_latest_planned_materialization_info(key)
    if planned is None:
        return ()
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


@dataclass(frozen=True, slots=True)
class Made:
    """The newest batch of a partition (None if there are none) that changed something.

    Attributes:
        set_aside: how many of its rows went to the quarantine.
        not_checked: why some rules could not be checked; None if all were.
    """

    partition: str | None
    run_id: str
    set_aside: int
    not_checked: str | None


def newest_made(
    context: dg.AssetExecutionContext, key: dg.AssetKey, partitions: Collection[str] | None
) -> Iterator[Made]:
    """What the newest materialisations say of their batches, one per partition."""
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
        rows = getattr(made.metadata.get("quarantined_rows"), "value", None)
        reasons = getattr(made.metadata.get("checks_not_run"), "value", None)
        yield Made(
            made.partition,
            record.run_id,
            rows if isinstance(rows, int) else 0,
            str(reasons) if reasons else None,
        )
