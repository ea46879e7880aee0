"""The job that compacts the streams of a component, and its schedule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import dagster as dg

from etl_platform.components.assets import LAKE_KEY
from etl_platform.components.stream_source.compacting import Compactor
from etl_platform.components.timing import Schedule
from etl_platform.publishing.failures import Retries, run_errors
from etl_platform.resources import LakeResource


def compaction_job(
    name: str, compactors: Sequence[Compactor], retries: Retries
) -> dg.JobDefinition:
    """``<name>_compact``: merge what is over, stream after stream."""

    def compact(context: dg.OpExecutionContext) -> None:
        resource = cast("LakeResource", getattr(context.resources, LAKE_KEY))
        lake, log = resource.lake(), resource.metastore().streams
        with run_errors(context.retry_number, retries):
            for compactor in compactors:
                for merged in compactor.run(lake, log, context.instance, run_id=context.run_id):
                    context.log.info(
                        "%s: %s partitions with %s rows are %s now",
                        compactor.tables[0],
                        len(merged.members),
                        f"{merged.rows:,}",
                        merged.key,
                    )

    # Dagster reads this annotation and does not understand it as text.
    compact.__annotations__ = {"context": dg.OpExecutionContext}
    op = dg.op(name=f"{name}_merge_batches", required_resource_keys={LAKE_KEY})(compact)

    def graph() -> None:
        op()

    return dg.job(name=f"{name}_compact", description="Merge batches of times that are over.")(
        graph
    )


def compaction_schedule(job: dg.JobDefinition, schedule: Schedule) -> dg.ScheduleDefinition:
    """When the job runs."""
    running, stopped = dg.DefaultScheduleStatus.RUNNING, dg.DefaultScheduleStatus.STOPPED
    return dg.ScheduleDefinition(
        name=f"{job.name}_schedule",
        job=job,
        cron_schedule=schedule.cron,
        execution_timezone=schedule.timezone,
        default_status=running if schedule.enabled else stopped,
    )
