"""When the same work is requested again: its run failed, or what it did was undone."""

from __future__ import annotations

import dagster as dg

from etl_platform.metastore.records import now

WORK_TAG = "etl/files"
"""Tag of a sensor's runs: what they are to do."""
FIRST_WAIT_S = 300.0
"""Seconds after the first failed run; four times as many after each further one."""
_TRIES = 6


def run_key(instance: dg.DagsterInstance, work: str) -> str | None:
    """The key of the run that is requested now; None while another one is on its way.

    Dagster starts no second run of the same key, so the tries of the same work have different ones.
    An outage is over some day; what fails for good is not tried for ever.
    """
    records = instance.get_run_records(dg.RunsFilter(tags={WORK_TAG: work}), limit=_TRIES)
    if not records:
        return work
    newest = records[0]
    if not newest.dagster_run.is_finished or len(records) == _TRIES:
        return None
    if not newest.dagster_run.is_success:
        ended_s = newest.end_time or newest.update_timestamp.timestamp()
        if now().timestamp() < ended_s + FIRST_WAIT_S * 4 ** (len(records) - 1):
            return None
    return f"{work}/{len(records) + 1}"
