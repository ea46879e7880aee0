"""Jobs and schedules of a component's assets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import dagster as dg

from etl_platform.components.assets import TableAsset
from etl_platform.components.timing import Schedule

Partitions = dg.TimeWindowPartitionsDefinition
_MOST = 100
"""Partitions that one tick requests at most: a longer gap is for a backfill."""


@dataclass(frozen=True, slots=True)
class _Job:
    name: str
    schedule: Schedule | None
    partitions: Partitions | None


def build_jobs(
    name: str, assets: Iterable[TableAsset], schedule: Schedule | None
) -> tuple[list[dg.UnresolvedAssetJobDefinition], list[dg.ScheduleDefinition]]:
    """One job for all assets that run at the same time; assets partitioned alike share one.

    Args:
        name: of the component: the job is ``<name>_refresh``; for assets in partitions
            ``<name>_refresh_<n>``, for one with a schedule of its own ``<name>_<table>_refresh``.
        assets: with their own schedule, or none.
        schedule: of the assets that have none of their own.
    """
    members: dict[_Job, list[dg.AssetKey]] = {}
    seen: list[Partitions] = []
    for asset in assets:
        # Streams are loaded when messages come, not at a time.
        partitions = asset.partitions if isinstance(asset.partitions, Partitions) else None
        if partitions is not None and partitions not in seen:
            seen.append(partitions)
        suffix = "" if partitions is None else f"_{seen.index(partitions) + 1}"
        own = asset.options.schedule
        job = (
            _Job(f"{name}_refresh{suffix}", schedule, partitions)
            if own is None
            else _Job(f"{name}_{asset.table.name}_refresh", own, partitions)
        )
        members.setdefault(job, []).append(dg.AssetKey(asset.table.key))
    jobs: list[dg.UnresolvedAssetJobDefinition] = []
    schedules: list[dg.ScheduleDefinition] = []
    for job, keys in members.items():
        made = dg.define_asset_job(
            job.name, dg.AssetSelection.assets(*keys), partitions_def=job.partitions
        )
        jobs.append(made)
        if job.schedule is not None:
            schedules.append(_schedule(made, keys, job.schedule, job.partitions))
    return jobs, schedules


def _schedule(
    job: dg.UnresolvedAssetJobDefinition,
    keys: Sequence[dg.AssetKey],
    schedule: Schedule,
    partitions: Partitions | None,
) -> dg.ScheduleDefinition:
    status = (
        dg.DefaultScheduleStatus.RUNNING if schedule.enabled else dg.DefaultScheduleStatus.STOPPED
    )
    name = f"{job.name}_schedule"
    if partitions is None:
        return dg.ScheduleDefinition(
            name=name,
            job=job,
            cron_schedule=schedule.cron,
            execution_timezone=schedule.timezone,
            default_status=status,
        )

    def due_partitions(
        context: dg.ScheduleEvaluationContext,
    ) -> Iterator[dg.RunRequest | dg.SkipReason]:
        with dg.partition_loading_context(effective_dt=context.scheduled_execution_time):
            complete = partitions.get_partition_keys()
        if not complete:
            yield dg.SkipReason("no partition is complete yet")
            return
        for key in _due(context.instance, keys, complete):
            yield dg.RunRequest(run_key=key, partition_key=key)

    return dg.ScheduleDefinition(
        name=name,
        job=job,
        cron_schedule=schedule.cron,
        execution_timezone=schedule.timezone,
        default_status=status,
        execution_fn=due_partitions,
    )


def _due(
    instance: dg.DagsterInstance, keys: Sequence[dg.AssetKey], complete: Sequence[str]
) -> Sequence[str]:
    """The newest partition, and those before it that came after the newest that was ever made.

    Dagster makes up for the last tick alone, and the daemon may have slept through several. What is
    older than what was made is for a backfill. A partition is requested once, by its run key.
    """
    first = len(complete) - 1
    places = {key: place for place, key in enumerate(complete)}
    for key in keys:
        made = [places[one] for one in instance.get_materialized_partitions(key) if one in places]
        if made:
            first = min(first, max(made) + 1)
    return complete[max(first, len(complete) - _MOST) :] or complete[-1:]
