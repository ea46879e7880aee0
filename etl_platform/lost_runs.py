"""Runs that are said to be under way although the process that worked on them is gone."""

from __future__ import annotations

import json
from dataclasses import dataclass

import dagster as dg
import psutil
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._core.storage.tags import GRPC_INFO_TAG, MAX_RETRIES_TAG

UNFINISHED = (dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED)
_CANCELLED = dg.DagsterRunStatus.CANCELING
_HERE = ("localhost", "127.0.0.1", "0.0.0.0", "::1")
_ENGINE = dg.DagsterEventType.ENGINE_EVENT


@dataclass(frozen=True, slots=True)
class LostRun:
    """A run, its job, the process that is gone, and when that began its work (epoch, seconds)."""

    run_id: str
    job: str
    process: int
    begun_s: float


def lost_runs(instance: dg.DagsterInstance) -> tuple[LostRun, ...]:
    """All of them, newest first."""
    runs = instance.get_runs(dg.RunsFilter(statuses=[*UNFINISHED, _CANCELLED]))
    found = (lost_run(instance, run) for run in runs)
    return tuple(one for one in found if one is not None)


def lost_run(instance: dg.DagsterInstance, run: dg.DagsterRun) -> LostRun | None:
    """The run if its process is gone; None if it is there, or that cannot be known.

    Known only where runs are kept in SQLite, that is on this machine, once the process has said
    its number, and not of those that a code server of another host has started.
    """
    under_way = run.status in (*UNFINISHED, _CANCELLED)
    if not under_way or not isinstance(instance.run_storage, SqliteRunStorage):
        return None
    server = json.loads(run.tags.get(GRPC_INFO_TAG, "{}"))
    if "port" in server and server.get("host") not in _HERE:
        return None
    for entry in reversed(list(instance.all_logs(run.run_id, of_type=_ENGINE))):
        data = entry.dagster_event and entry.dagster_event.event_specific_data
        number = getattr(getattr(data, "metadata", {}).get("pid"), "value", None)
        if number is not None and entry.step_key is None:
            if _is_alive(int(number), entry.timestamp):
                return None
            return LostRun(run.run_id, run.job_name, int(number), entry.timestamp)
    return None


def end_lost_run(instance: dg.DagsterInstance, run: dg.DagsterRun, process: int | None) -> None:
    """Let a run be what it is: failed, or cancelled where that was asked for.

    The daemon does not try it again: whoever ends it goes on with it.

    Args:
        process: the one that is gone, None where a person says that nothing works on the run.
    """
    which = "what worked on it" if process is None else f"its process ({process})"
    message = f"{which} is gone and left it {run.status.value}: ended by the platform"
    instance.add_run_tags(run.run_id, {MAX_RETRIES_TAG: "0"})
    if run.status is _CANCELLED:
        instance.report_run_canceled(run, message)
    else:
        instance.report_run_failed(run, f"{message}; go on with: etl resume {run.run_id}")


def _is_alive(number: int, said_at: float) -> bool:
    """A process of this number that was there when it was said; numbers are given again."""
    try:
        process = psutil.Process(number)
        return process.create_time() <= said_at and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
