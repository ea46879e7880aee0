"""DuckDB sessions of one engine: opened in half a millisecond, and bounded together.

An engine of its own (:func:`etl_platform.core.duck.connect`) takes 13 ms of a processor to start,
which is what a small step takes in all. Sessions of one engine share its threads, its memory limit
and its folder for what does not fit, so that steps side by side do not take each what one may. Each
has a catalog of its own, which goes with it. What is set for all (``SET GLOBAL``) or locks the
configuration needs an engine of its own.
"""

from __future__ import annotations

import atexit
import itertools
import os
import threading
import weakref
from typing import TYPE_CHECKING

from etl_platform.core.duck import connect
from etl_platform.core.settings import Settings, get_settings
from etl_platform.core.stopping import watch

if TYPE_CHECKING:
    import duckdb

_lock = threading.Lock()
_numbers = itertools.count(1)
_engines: dict[tuple[object, ...], _Engine] = {}
"""The newest one alone: an earlier one, which nothing holds any more, ends with its sessions."""


class _Engine:
    def __init__(self, settings: Settings) -> None:
        self._con = connect(settings)
        self._left: list[str] = []

    def session(self) -> duckdb.DuckDBPyConnection:
        name = f"etl_session_{next(_numbers)}"
        self._con.execute(f"ATTACH ':memory:' AS {name}")
        opened = self._con.cursor()
        opened.execute(f"USE {name}")
        watch(opened)
        weakref.finalize(opened, self._left.append, name)
        return opened

    def close(self) -> None:
        """End the engine and whatever session of it is left, even one that another thread uses."""
        self._con.close()

    def tidy(self) -> None:
        """Drop the catalogs of sessions that are gone; one still read by a cursor stays a while."""
        import duckdb

        for _ in range(len(self._left)):
            name = self._left.pop(0)
            try:
                self._con.execute(f"DETACH {name}")
            except duckdb.Error:
                self._left.append(name)


def session(settings: Settings | None = None) -> duckdb.DuckDBPyConnection:
    """Open a session of the process's engine with these settings: UTC, closed, as ``connect``'s.

    Its tables, views and schemas are its own. A ``cursor()`` of it shares the engine, not these.
    """
    chosen = settings or get_settings()
    # A forked process has none of its parent's threads, and leaves its parent's engine alone.
    key = (os.getpid(), chosen.threads, chosen.memory_limit, str(chosen.temp_dir))
    with _lock:
        engine = _engines.get(key)
        if engine is None:
            _forget_all()
            engine = _engines[key] = _Engine(chosen)
        engine.tidy()
        return engine.session()


def _forget_all() -> list[_Engine]:
    # Closing a connection closes its cursors, which other threads may be using: it is let go.
    return [_engines.pop(key) for key in list(_engines) if key[0] == os.getpid()]


@atexit.register
def close_engines() -> None:
    """End what this process has opened: DuckDB tells of whatever is left when Python ends."""
    with _lock:
        for engine in _forget_all():
            engine.close()
