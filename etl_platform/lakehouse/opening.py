"""Opening tables: what a process has read of a log is read once, as long as it is the newest."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from etl_platform.core.errors import PermanentError, UnknownName
from etl_platform.core.names import TableName
from etl_platform.lakehouse.log import Snapshot
from etl_platform.lakehouse.root import Root

if TYPE_CHECKING:
    from deltalake import DeltaTable

_MOST_VALUES = 200_000
"""How much is kept in all, in statistics (files times columns): some tens of MB."""


def open_snapshot(root: Root, table: TableName, version: int | None = None) -> Snapshot | None:
    """Open a table for reading, or None when it does not exist.

    Raises:
        UnknownName: the version does not exist, with the valid range.
    """
    newest = _NEWEST.find(root, table)
    if newest is None or version is None or version == newest.version:
        return newest
    if not 0 <= version <= newest.version:
        known = [str(v) for v in range(max(0, newest.version - 50), newest.version + 1)]
        raise UnknownName("version", str(version), known, where=table.sql)
    return _at_version(root, table, version, newest.version)


def open_to_write(root: Root, table: TableName) -> Snapshot | None:
    """Open the newest version for a commit on top of it, or None when the table does not exist.

    Nobody else has this one: a commit makes it another version than it was opened at.
    """
    delta = _open(root, table)
    return None if delta is None else Snapshot(table, root, delta)


@dataclass(frozen=True, slots=True)
class _Known:
    """A version, which file its entry is, and how many statistics it has."""

    snapshot: Snapshot
    stamp: tuple[int, ...]
    values: int


class _Newest:
    """The newest versions of tables in folders, as far as this process has opened them.

    Versions follow each other without a gap, so a version is the newest while its entry is the file
    that it was and there is no next one. In a bucket that is no cheaper to ask than the log itself.
    What was used longest ago goes first.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._values = 0
        self._lock = Lock()

    def find(self, root: Root, table: TableName) -> Snapshot | None:
        if not root.is_folder:
            return open_to_write(root, table)
        log = Path(root.log(table), "_delta_log").absolute()
        with self._lock:
            known = self._known.get(str(log))
            if known is not None:
                self._known.move_to_end(str(log))
        if known is not None and known.stamp == _stamp(log, known.snapshot.version):
            return known.snapshot
        snapshot = open_to_write(root, table)
        stamp = None if snapshot is None else _stamp(log, snapshot.version)
        with self._lock:
            self._forget(str(log))
            if snapshot is not None and stamp is not None:
                self._keep(str(log), snapshot, stamp)
        return snapshot

    def _keep(self, log: str, snapshot: Snapshot, stamp: tuple[int, ...]) -> None:
        values = (1 + snapshot.actions.num_rows) * (1 + len(snapshot.schema))
        self._known[log] = _Known(snapshot, stamp, values)
        self._values += values
        while self._values > _MOST_VALUES:
            self._forget(next(iter(self._known)))

    def _forget(self, log: str) -> None:
        known = self._known.pop(log, None)
        self._values -= 0 if known is None else known.values


_NEWEST = _Newest()


def _stamp(log: Path, version: int) -> tuple[int, ...] | None:
    """Which file a version's entry is; None where it is not there, or not the last one."""
    if (log / f"{version + 1:020d}.json").exists():
        return None
    try:
        found = (log / f"{version:020d}.json").stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


def _at_version(root: Root, table: TableName, version: int, newest: int) -> Snapshot | None:
    from deltalake.exceptions import DeltaError

    delta = _open(root, table)
    if delta is None:
        return None
    try:
        with root.answering(table):
            delta.load_as_version(version)
    except DeltaError as error:
        raise PermanentError(
            f"{table}: version {version} can no longer be read: {error}",
            valid=f"recent versions up to {newest}; older ones end with the log's retention",
        ) from error
    return Snapshot(table, root, delta)


def _open(root: Root, table: TableName) -> DeltaTable | None:
    from deltalake import DeltaTable
    from deltalake.exceptions import TableNotFoundError

    try:
        with root.answering(table):
            return DeltaTable(root.log(table), storage_options=root.delta_options())
    except TableNotFoundError:
        return None
