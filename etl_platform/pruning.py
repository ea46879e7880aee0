"""Old runs, and records of alerts that have ended, are forgotten; how things stand never is."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from etl_platform.core.errors import ConfigError

if TYPE_CHECKING:
    from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

    from etl_platform.metastore import Metastore

FINISHED = (
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
)
_TELLS_THE_STATE = (
    dg.DagsterEventType.ASSET_MATERIALIZATION,
    dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    dg.DagsterEventType.ASSET_OBSERVATION,
    dg.DagsterEventType.FRESHNESS_STATE_CHANGE,
)


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed, or would be. ``runs_kept`` are as old, but the newest of something."""

    runs: int
    runs_kept: int
    incidents: int
    notices: int


def prune(
    instance: dg.DagsterInstance, metastore: Metastore, before: datetime, *, dry_run: bool = False
) -> Pruned:
    """Remove what ended before a moment: runs with their events and logs, incidents, notices.

    Kept are runs that are not over, and each one that holds the newest materialisation,
    observation, try or check result of an asset or of a partition. Of a subject of alerts the
    newest incident stays, and a notice that still has to be sent. Stopped half-way, the next call
    goes on.

    Raises:
        ConfigError: Dagster's events are not kept in SQLite or PostgreSQL.
    """
    held = _runs_that_tell_the_state(instance)
    filters = dg.RunsFilter(statuses=[*FINISHED], updated_before=before)
    old = [run.run_id for run in instance.get_runs(filters)]
    over = [run_id for run_id in old if run_id not in held]
    if not dry_run:
        for run_id in over:
            _remove(instance, run_id)
    incidents, notices = metastore.alerts.prune(before, dry_run=dry_run)
    return Pruned(len(over), len(old) - len(over), incidents, notices)


def _runs_that_tell_the_state(instance: dg.DagsterInstance) -> set[str]:
    import sqlalchemy as sa
    from dagster._core.storage.event_log.schema import (
        AssetCheckExecutionsTable,
        SqlEventLogStorageTable,
    )

    event, check = SqlEventLogStorageTable.c, AssetCheckExecutionsTable.c
    newest_events = (
        sa.select(sa.func.max(event.id))
        .where(event.dagster_event_type.in_([kind.value for kind in _TELLS_THE_STATE]))
        .where(event.asset_key.is_not(None))
        .group_by(event.asset_key, event.partition, event.dagster_event_type)
    )
    # A result whose run went on to another is told by the last one that was made.
    newest_checks = sa.select(sa.func.max(check.id)).group_by(
        check.asset_key, check.check_name, check.partition, check.execution_status
    )
    with _events(instance).index_connection() as con:
        told = con.execute(sa.select(event.run_id).where(event.id.in_(newest_events)))
        checked = con.execute(sa.select(check.run_id).where(check.id.in_(newest_checks)))
        return {*told.scalars(), *checked.scalars()}


def _remove(instance: dg.DagsterInstance, run_id: str) -> None:
    """The run itself goes last: what a killed call left behind is found by the next one."""
    import sqlalchemy as sa
    from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
    from dagster._core.storage.event_log.sqlite import SqliteEventLogStorage

    storage = _events(instance)
    with storage.index_connection() as con:
        mine = AssetCheckExecutionsTable.c.run_id == run_id
        con.execute(sa.delete(AssetCheckExecutionsTable).where(mine))
    storage.delete_events(run_id)
    if isinstance(storage, SqliteEventLogStorage):
        # Each run has a file of its own, which would keep its size.
        file = Path(storage.path_for_shard(run_id))
        for name in (file.name, f"{file.name}-wal", f"{file.name}-shm"):
            file.with_name(name).unlink(missing_ok=True)
    with suppress(NotImplementedError):  # logs that are elsewhere have a retention of their own
        instance.compute_log_manager.delete_logs(prefix=[run_id])
    instance.run_storage.delete_run(run_id)


def _events(instance: dg.DagsterInstance) -> SqlEventLogStorage:
    from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

    storage: Any = instance.event_log_storage
    storage = getattr(storage, "_event_log_storage", storage)
    if not isinstance(storage, SqlEventLogStorage):
        raise ConfigError(
            f"events are kept by {type(storage).__name__}",
            valid="SQLite and PostgreSQL",
            fix="use the dagster.yaml of this repository, or DagsterInstance.delete_run",
        )
    return storage
