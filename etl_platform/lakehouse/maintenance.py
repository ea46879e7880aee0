"""Revert, compact and vacuum: what keeps a table's history useful and its folder small."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

from etl_platform.core.duck import connect
from etl_platform.core.errors import ConcurrentWrite, PermanentError
from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.core.staged import DataFile
from etl_platform.lakehouse.attachments import forget_attachments
from etl_platform.lakehouse.changes import Changes
from etl_platform.lakehouse.commit import commit, commit_properties
from etl_platform.lakehouse.log import Snapshot
from etl_platform.lakehouse.opening import open_snapshot
from etl_platform.lakehouse.profiles import forget_profiles
from etl_platform.lakehouse.receipt import Mode, Receipt, version_of
from etl_platform.lakehouse.root import Root
from etl_platform.lakehouse.staging import discard_staged, stage

_SMALL_FILE_BYTES = 64 * 1024 * 1024
_REQUESTS_AT_ONCE = 16


def revert(current: Snapshot, target: Snapshot, run_id: str | None = None) -> Receipt:
    """Make the earlier version ``target`` the newest one, in one commit.

    The annotations of that version (watermarks) come back with it, so the next incremental run
    extracts again what the revert took away.

    Raises:
        PermanentError: files of that version were vacuumed.
        ConcurrentWrite: another writer committed meanwhile.
    """
    from deltalake.exceptions import CommitFailedError, DeltaError

    started = time.perf_counter()
    before = {f.path: f for f in current.files}
    after = {f.path: f for f in target.files}
    gone = [f for path, f in before.items() if path not in after]
    back = [f for path, f in after.items() if path not in before]
    receipt = Receipt(
        table=current.table.sql,
        mode=Mode.REVERT,
        version_before=current.version,
        version_after=current.version + 1,
        rows_inserted=sum(f.rows for f in back),
        rows_deleted=sum(f.rows for f in gone),
        rows_total=target.rows,
        size_bytes=sum(f.size_bytes for f in back),
        files_added=len(back),
        files_removed=len(gone),
        seconds=round(time.perf_counter() - started, 4),
        batch=f"revert to version {target.version}",
        run_id=run_id,
    )
    try:
        current.delta.restore(
            target.version,
            commit_properties=commit_properties(receipt, target.annotations(), None),
        )
    except CommitFailedError as error:
        raise ConcurrentWrite(
            f"{current.table}: another writer committed during the revert", fix="run it again"
        ) from error
    except DeltaError as error:
        raise PermanentError(
            f"{current.table}: cannot revert to version {target.version}: {error}",
            valid="versions whose files have not been vacuumed",
            fix="see the versions with: etl receipts " + current.table.sql,
        ) from error
    return receipt


def compact(
    settings: Settings, root: Root, current: Snapshot, run_id: str | None = None
) -> Receipt | None:
    """Merge files below 64 MiB within each partition; no row changes.

    Returns:
        The receipt, or None when there was nothing to merge or another writer was faster (the next
        call tries again; compaction never stands in a writer's way).
    """
    started = time.perf_counter()
    small: dict[tuple[str | None, ...], list[DataFile]] = {}
    for file in current.files:
        if file.size_bytes < _SMALL_FILE_BYTES:
            place = tuple(file.partition_values.get(c) for c in current.partition_by)
            small.setdefault(place, []).append(file)
    merged = tuple(f for group in small.values() if len(group) > 1 for f in group)
    if not merged:
        return None
    with connect(settings) as con:
        rows = con.sql(f"SELECT * FROM {current.relation_sql(merged)}")
        staged = stage(settings, root, current.table, rows, current.partition_by)
    receipt = Receipt(
        table=current.table.sql,
        mode=Mode.COMPACT,
        version_before=current.version,
        version_after=current.version + 1,
        rows_total=current.rows,
        size_bytes=staged.size_bytes,
        files_added=len(staged.files),
        files_removed=len(merged),
        seconds=round(time.perf_counter() - started, 4),
        run_id=run_id,
    )
    changes = Changes(current.schema, staged.files, merged, 0, 0, 0)
    if commit(current, changes, commit_properties(receipt, current.annotations(), None)):
        return receipt
    discard_staged(root, staged)
    return None


def vacuum(
    root: Root,
    current: Snapshot,
    orphans_older_than_hours: float,
    history_older_than_hours: float | None,
) -> list[str]:
    """Delete files that no kept version needs; returns their paths below the table's folder.

    Files that no version ever referenced (a crash left them) go when they are older than
    ``orphans_older_than_hours``: keep that longer than the longest run. Versions stay readable
    unless ``history_older_than_hours`` is given; the current one always does.
    """
    keep = _kept_versions(current, history_older_than_hours)
    wanted: set[str] = set()
    for version in keep:
        snapshot = open_snapshot(root, current.table, version)
        if snapshot is not None:
            wanted |= {file.path for file in snapshot.files}
    below = f"{current.table.path}/"
    newest_orphan = time.time() - orphans_older_than_hours * 3600
    removed: list[str] = []
    for file in root.store.list(below):
        path = file.key.removeprefix(below)
        orphan = not path.startswith("_") and path not in wanted
        if orphan and file.modified.timestamp() <= newest_orphan:
            removed.append(path)
    root.store.delete(below + path for path in removed)
    removed += forget_profiles(root, current.table, keep)
    removed += forget_attachments(root, current.table, keep, newest_orphan)
    if root.is_folder:
        _remove_empty_folders(Path(root.log(current.table)))
    return removed


def table_names(root: Root) -> list[TableName]:
    """Every table below the lake's root, sorted."""
    if root.is_folder:
        found = Path(root.uri).glob("*/*/_delta_log")
        return sorted(TableName(log.parent.parent.name, log.parent.name) for log in found)
    with ThreadPoolExecutor(_REQUESTS_AT_ONCE) as pool:
        schemas = [name for name in root.store.folders() if not name.startswith("_")]
        tables = [
            table
            for names in pool.map(root.store.folders, [f"{schema}/" for schema in schemas])
            for table in names
        ]
        logs = pool.map(lambda table: any(root.store.list(f"{table}/_delta_log/")), tables)
        return sorted(
            TableName(*table.split("/")) for table, log in zip(tables, logs, strict=True) if log
        )


def _kept_versions(current: Snapshot, older_than_hours: float | None) -> list[int]:
    commits = current.delta.history()
    if older_than_hours is None:
        return [version_of(entry) for entry in commits]
    oldest = datetime.now(UTC) - timedelta(hours=older_than_hours)
    recent = [version_of(e) for e in commits if e.get("timestamp", 0) / 1000 >= oldest.timestamp()]
    return sorted({current.version, *recent})


def _remove_empty_folders(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        top = path.relative_to(folder).parts[0]
        if path.is_dir() and not top.startswith("_") and not any(path.iterdir()):
            path.rmdir()
