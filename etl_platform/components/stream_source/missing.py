"""Batches that are published and that a window knows nothing of: their aggregation has failed.

The run of a batch publishes its rows and aggregates them. When only the second fails, the batch is
done for the stream's sensor, while the window waits for it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

from etl_platform.components.stream_source.lost_runs import STREAM_TAG
from etl_platform.sources.stream.ranges import from_json

if TYPE_CHECKING:
    from collections.abc import Collection

    from etl_platform.metastore import StreamLog

WINDOW_TAG = "etl/window"
"""Tag of the runs that aggregate a batch once more: which window, and how it was declared."""
_PARTITION_TAG = "dagster/partition"
ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Missing:
    """What a window lacks.

    Attributes:
        request: partitions to aggregate now, oldest first, with the run key of the attempt.
        at_work: partitions that a run is at.
        given_up: partitions that were tried often enough.
    """

    request: dict[str, str]
    at_work: tuple[str, ...]
    given_up: tuple[str, ...]


def missing(
    instance: dg.DagsterInstance,
    log: StreamLog,
    stream: str,
    window: str,
    aggregated: Collection[str],
    at_once: int,
) -> Missing:
    """Compare what is published with what is aggregated.

    Args:
        window: its results and the digest of its declaration.
        aggregated: partitions that the window knows as it is declared now.
        at_once: how many runs there may be at the same time.
    """
    lacking = [
        one.key
        for one in log.partitions(stream)
        if one.finished_at is not None
        and one.key not in aggregated
        and not all(each.empty for each in from_json(one.ranges))
    ]
    if not lacking:
        return Missing({}, (), ())
    busy: set[str] = set()
    for tag, value in ((STREAM_TAG, stream), (WINDOW_TAG, window)):
        busy |= set(_partitions(instance, tag, value, unfinished=True))
    tried = Counter(_partitions(instance, WINDOW_TAG, window))
    at_work = tuple(key for key in lacking if key in busy)
    given_up = tuple(key for key in lacking if key not in busy and tried[key] >= ATTEMPTS)
    waiting = [key for key in lacking if key not in busy and tried[key] < ATTEMPTS]
    room = max(0, at_once - len(at_work))
    request = {key: f"{window}/{key}/{tried[key]}" for key in waiting[:room]}
    return Missing(request, at_work, given_up)


def _partitions(
    instance: dg.DagsterInstance, tag: str, value: str, *, unfinished: bool = False
) -> list[str]:
    statuses = list(NOT_FINISHED_STATUSES) if unfinished else None
    runs = instance.get_runs(dg.RunsFilter(tags={tag: value}, statuses=statuses))
    return [run.tags[_PARTITION_TAG] for run in runs if _PARTITION_TAG in run.tags]
