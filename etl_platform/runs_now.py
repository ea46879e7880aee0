"""Runs that are under way, and what they are at."""

from __future__ import annotations

from dataclasses import dataclass

import dagster as dg
from dagster._core.execution.stats import StepEventStatus

from etl_platform.undone import steps_of

_UNDER_WAY = (
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)


@dataclass(frozen=True, slots=True)
class RunNow:
    """A run that is under way.

    Attributes:
        begun_s: when it began (epoch, seconds); None while it starts.
        steps: how many it makes, ``done`` and ``failed`` those that ended.
        at: the steps that run now.
    """

    run_id: str
    job: str
    begun_s: float | None
    steps: int
    done: int
    failed: int
    at: tuple[str, ...]


def runs_now(instance: dg.DagsterInstance) -> tuple[RunNow, ...]:
    """All runs that are under way, newest first; those that wait in the queue are not."""
    records = instance.get_run_records(dg.RunsFilter(statuses=list(_UNDER_WAY)))
    return tuple(_now(instance, record) for record in records)


def _now(instance: dg.DagsterInstance, record: dg.RunRecord) -> RunNow:
    run = record.dagster_run
    stats = instance.get_run_step_stats(run.run_id)
    by_status = {status: [one.step_key for one in stats if one.status is status]
                 for status in StepEventStatus}  # fmt: skip
    return RunNow(
        run.run_id,
        run.job_name,
        record.start_time,
        max(len(steps_of(instance, run)), len(stats)),
        len(by_status[StepEventStatus.SUCCESS]),
        len(by_status[StepEventStatus.FAILURE]),
        tuple(by_status[StepEventStatus.IN_PROGRESS]),
    )
