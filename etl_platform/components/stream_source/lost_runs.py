"""Runs whose worker died without a word, and batches that no run ever took up.

Dagster's own launcher cannot tell a dead worker from a slow one once its code server is gone. A
batch may be run twice at the same time and is published once, so that it can be requested anew
without knowing which of them it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg
from dagster._core.events import RunFailureReason
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES
from dagster._core.storage.tags import RUN_FAILURE_REASON_TAG

if TYPE_CHECKING:
    from etl_platform.metastore import StreamLog

STREAM_TAG = "etl/stream"
"""Tag of the runs that a stream's sensor requests, by which unfinished ones are counted."""
RESULTS_TAG = "etl/window_results"
"""Tag of the runs that compute a window's results: of which window."""
_PARTITION_TAG = "dagster/partition"
_RUN_KEY = "dagster/run_key"
_WAITING = (dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED)


@dataclass(frozen=True, slots=True)
class Again:
    """A batch to be requested once more, under a run key that was not used for it before."""

    key: str
    run_key: str


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of one stream: how many are at work, and what has to be begun again."""

    unfinished: int
    again: tuple[Again, ...]


def runs_of(
    instance: dg.DagsterInstance,
    log: StreamLog,
    stream: str,
    cursor: int,
    moment: datetime,
    patience: timedelta,
) -> Runs:
    """Look at the runs of a stream; those that took longer than ``patience`` are given up.

    Args:
        cursor: batches up to this number were requested.
    """
    late = moment - patience
    filters = dg.RunsFilter(tags={STREAM_TAG: stream}, statuses=list(NOT_FINISHED_STATUSES))
    at_work: list[dg.RunRecord] = []
    lost: list[dg.DagsterRun] = []
    for record in instance.get_run_records(filters):
        run = record.dagster_run
        if run.status in _WAITING or record.update_timestamp > late:
            at_work.append(record)
        else:
            lost.append(run)
    busy = {record.dagster_run.tags.get(_PARTITION_TAG) for record in at_work}
    again: dict[str, Again] = {}
    for run in lost:
        key = _place(log, stream, run.tags.get(_PARTITION_TAG))
        anew = None if key is None or key in busy else Again(key, f"{key}/after-{run.run_id}")
        # Windows may lack a batch that is published. Only when the new run is there the old one
        # is given up: whoever is killed between the two has forgotten nothing.
        if anew is None or instance.get_runs_count(dg.RunsFilter(tags={_RUN_KEY: anew.run_key})):
            instance.report_run_canceled(run, f"not finished after {patience}: begun again")
        else:
            again[anew.key] = anew
    for one in log.unfinished(stream):
        wanted = one.kind == "batch" and one.number <= cursor and one.cut_at <= late
        if wanted and one.key not in again and one.key not in busy:
            filters = dg.RunsFilter(tags={_PARTITION_TAG: one.key})
            if not instance.get_runs_count(filters):
                again[one.key] = Again(one.key, f"{one.key}/again")
            elif (run_id := _crashed(instance, _PARTITION_TAG, one.key, late)) is not None:
                again[one.key] = Again(one.key, f"{one.key}/after-{run_id}")
    return Runs(len(at_work), tuple(again.values()))


def begun_anew(
    instance: dg.DagsterInstance, tag: str, value: str, moment: datetime, patience: timedelta
) -> tuple[str, ...]:
    """Run keys under which runs without partitions are to be requested once more.

    Args:
        tag: by which the runs are known, with its value.
    """
    again: list[str] = []
    filters = dg.RunsFilter(tags={tag: value}, statuses=list(NOT_FINISHED_STATUSES))
    for record in instance.get_run_records(filters):
        run = record.dagster_run
        if run.status in _WAITING or record.update_timestamp > moment - patience:
            continue
        run_key = f"after-{run.run_id}"
        if instance.get_runs_count(dg.RunsFilter(tags={_RUN_KEY: run_key})):
            instance.report_run_canceled(run, f"not finished after {patience}: begun again")
        else:
            again.append(run_key)
    crashed = _crashed(instance, tag, value, moment - patience)
    return (*again, *([] if crashed is None else [f"after-{crashed}"]))


def _crashed(instance: dg.DagsterInstance, tag: str, value: str, late: datetime) -> str | None:
    """The newest of some runs if its worker crashed, long ago, and no other run came after it.

    The daemon that was to retry it may have been killed, too. What failed by itself would fail
    again, and is left to people.
    """
    for record in instance.get_run_records(dg.RunsFilter(tags={tag: value}), limit=1):
        run = record.dagster_run
        crashed = run.status is dg.DagsterRunStatus.FAILURE and (
            run.tags.get(RUN_FAILURE_REASON_TAG) != RunFailureReason.STEP_FAILURE.value
        )
        return run.run_id if crashed and record.update_timestamp <= late else None
    return None


def _place(log: StreamLog, stream: str, key: str | None) -> str | None:
    """The partition that holds a batch now."""
    record = None if key is None else log.find(stream, key)
    while record is not None and record.merged_into is not None:
        record = log.find(stream, record.merged_into)
    return None if record is None else record.key
