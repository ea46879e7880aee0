"""Which runs are meant by what a person writes: a run, a backfill, or nothing."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from etl_platform.core.errors import ConfigError, UnknownName
from etl_platform.lost_runs import UNFINISHED, lost_run
from etl_platform.undone import is_continuation

_ENDED_BADLY = (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
_BACKFILL = "dagster/backfill"


def runs_to_resume(instance: dg.DagsterInstance, name: str | None) -> Sequence[dg.DagsterRun]:
    """A run by its id or the first letters of it, or the runs of a backfill that are not complete.

    Of a backfill those that failed, were cancelled or lost their process, oldest first; what is
    under way is left alone. None is the newest run that is not complete.

    Raises:
        UnknownName: neither run nor backfill has this id.
        ConfigError: several runs begin like this, or there is nothing to resume.
    """
    backfill = None if name is None else _backfill(instance, name)
    if backfill is None:
        return [find_run(instance, name)]
    runs = instance.get_runs(
        dg.RunsFilter(tags={_BACKFILL: backfill}, statuses=[*_ENDED_BADLY, *UNFINISHED])
    )
    found = [
        run
        for run in reversed(list(runs))
        if not is_continuation(run)
        and (run.status in _ENDED_BADLY or lost_run(instance, run) is not None)
    ]
    if not found:
        raise ConfigError(f"no run of backfill {backfill} failed or was cancelled")
    return found


def _backfill(instance: dg.DagsterInstance, name: str) -> str | None:
    found = instance.get_backfill(name)
    return None if found is None else found.backfill_id


def find_run(instance: dg.DagsterInstance, run_id: str | None) -> dg.DagsterRun:
    """A run by its id or the first letters of it; None is the newest that is not complete.

    Raises:
        UnknownName: no run has this id.
        ConfigError: several begin like this, or every run is complete.
    """
    if run_id is None:
        statuses = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED, *UNFINISHED]
        newest = instance.get_runs(dg.RunsFilter(statuses=statuses), limit=1)
        if not newest:
            raise ConfigError("no run failed, was cancelled or is under way: nothing to resume")
        return newest[0]
    found = instance.get_run_by_id(run_id)
    if found is not None:
        return found
    runs = instance.get_runs(limit=1_000)
    matching = [run for run in runs if run.run_id.startswith(run_id)]
    if not matching:
        raise UnknownName("run or backfill", run_id, [run.run_id for run in runs[:20]])
    if len(matching) > 1:
        ids = ", ".join(run.run_id for run in matching)
        raise ConfigError(f"{len(matching)} runs begin with {run_id!r}", valid=ids)
    return matching[0]
