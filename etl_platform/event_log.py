"""Dagster's event log in SQLite, with connections that stay open between statements.

Dagster's own opens a file anew for every statement and closes it after. Whoever closes a file last
writes its log ahead back into it and waits for the disk: half the time of a run of small steps.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster._core.storage.event_log.sqlite import SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS

if TYPE_CHECKING:
    from dagster._core.events.log import EventLogEntry
    from sqlalchemy import Connection, Engine

_FILES = 16
"""How many files (one per run, one of all assets) are kept open."""


@dataclass(frozen=True, slots=True)
class _Open:
    """A file that is open, and what tells that it is still the one at its path."""

    engine: Engine
    file: tuple[int, int]


class EventLog(SqliteEventLogStorage):
    """The files of Dagster's own, written and read by its own statements.

    What is committed survives the end of any process. A loss of power can take the last commits,
    each as a whole (SQLite's ``synchronous=NORMAL``); the lake's tables and their receipts are
    elsewhere.
    """

    def __init__(self, base_dir: str) -> None:
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self._process = os.getpid()
        self._found: set[object] = set()
        super().__init__(base_dir)

    def store_event(self, event: EventLogEntry) -> None:
        """Store an event, and touch the run's file for those who watch it.

        A commit alone changes the log ahead, where Dagster's watchers do not look.
        """
        super().store_event(event)
        os.utime(self.path_for_shard(event.run_id))

    def has_table(self, table_name: str) -> bool:
        """Whether the file of all assets has a table."""
        return self._once(
            ("table", table_name), lambda: super(EventLog, self).has_table(table_name)
        )

    def has_secondary_index(self, name: str) -> bool:
        """Whether a migration of Dagster's has been done."""
        return self._once(("index", name), lambda: super(EventLog, self).has_secondary_index(name))

    def wipe(self) -> None:
        """Delete all events."""
        self._close()
        super().wipe()

    def dispose(self) -> None:
        """Close all files."""
        super().dispose()
        self._close()

    def _has_asset_key_col_on_connection(self, conn: Connection, column_name: str) -> bool:
        asked = super()._has_asset_key_col_on_connection
        return self._once(("column", column_name), lambda: asked(conn, column_name))

    def _once(self, asked: object, ask: Callable[[], bool]) -> bool:
        """Ask until the answer is yes: migrations add, and take nothing away."""
        if asked not in self._found and ask():
            self._found.add(asked)
        return asked in self._found

    @contextmanager
    def _connect(self, shard: str) -> Generator[Connection]:
        with self._db_lock, self._engine(shard).begin() as connection:
            yield connection

    def _engine(self, shard: str) -> Engine:
        if self._process != os.getpid():
            # Connections do not survive a fork; closing them here would take away their locks.
            self._open, self._process = OrderedDict(), os.getpid()
        known = self._open.get(shard)
        if known is not None and known.file == self._file(shard):
            self._open.move_to_end(shard)
            return known.engine
        if known is not None:
            known.engine.dispose()
        self._initialized_dbs.discard(shard)
        engine = _engine(self.conn_string_for_shard(shard))
        self._initdb(engine)
        self._initialized_dbs.add(shard)
        file = self._file(shard)
        assert file is not None
        self._open[shard] = _Open(engine, file)
        while len(self._open) > _FILES:
            self._open.popitem(last=False)[1].engine.dispose()
        return engine

    def _file(self, shard: str) -> tuple[int, int] | None:
        """Which file is at the path now: another process may have deleted the one that is open."""
        try:
            found = Path(self.path_for_shard(shard)).stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def _close(self) -> None:
        with self._db_lock:
            while self._open:
                self._open.popitem()[1].engine.dispose()


def _engine(url: str) -> Engine:
    from sqlalchemy import QueuePool, create_engine, event

    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=-1,
        connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS},
    )

    def prepare(connection: Any, _: object) -> None:
        connection.execute("PRAGMA synchronous = NORMAL")

    event.listen(engine, "connect", prepare)
    return engine
