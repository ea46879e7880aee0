"""Runs whose worker died without a word, and batches that no run ever took up.

Dagster's own launcher cannot tell a dead worker from a slow one once its code server is gone. A
batch may be run twice at the same time and is published once, so that it can be requested anew
without knowing which of them it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

if TYPE_CHECKING:
    from etl_platform.metastore import StreamLog

STREAM_TAG = "etl/stream"
"""Tag of the runs that a stream's sensor requests, by which unfinished ones are counted."""
_PARTITION_TAG = "dagster/partition"
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
    again: dict[str, Again] = {}
    for record in instance.get_run_records(filters):
        run = record.dagster_run
        if run.status in _WAITING or record.update_timestamp > late:
            at_work.append(record)
            continue
        instance.report_run_canceled(run, f"not finished after {patience}: begun again")
        key = run.tags.get(_PARTITION_TAG)
        if key is not None:
            again[key] = Again(key, f"{key}/after-{run.run_id}")
    waiting = [one for one in log.unfinished(stream) if one.kind == "batch"]
    for one in waiting:
        if one.number <= cursor and one.cut_at <= late and one.key not in again:
            filters = dg.RunsFilter(tags={_PARTITION_TAG: one.key})
            if not instance.get_runs_count(filters):
                again[one.key] = Again(one.key, f"{one.key}/again")
    keys = _keys([one.key for one in waiting], at_work)
    return Runs(len(at_work), tuple(one for key, one in again.items() if key in keys))


def _keys(waiting: Sequence[str], at_work: Sequence[dg.RunRecord]) -> frozenset[str]:
    """Batches that are not published and that no run is at."""
    busy = {record.dagster_run.tags.get(_PARTITION_TAG) for record in at_work}
    return frozenset(key for key in waiting if key not in busy)
