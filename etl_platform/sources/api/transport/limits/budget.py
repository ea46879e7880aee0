"""The budget of one API: what is declared, and what the server tells."""

from __future__ import annotations

import hashlib
import os
import re
import threading
import time
from pathlib import Path

from etl_platform.sources.api.messages import ApiUnavailable
from etl_platform.sources.api.options import LimitOptions
from etl_platform.sources.api.transport.limits.places import Places
from etl_platform.sources.api.transport.limits.shared_file import SharedFile
from etl_platform.sources.api.transport.limits.told import Told
from etl_platform.sources.api.transport.limits.windows import Window

_NOT_BEFORE, _TOLD_LEFT, _TOLD_UNTIL, _HUNGRY, _WINDOWS = range(5)
_LONGEST_PAUSE_S = 86_400.0
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_OPEN: dict[Path, Budget] = {}
_OPENING = threading.Lock()


Counted = tuple[int, ...]
"""Where a request is counted, in each window."""


class Budget:
    """Lets requests of all processes go when it is their turn; safe for threads.

    Args:
        file: shared by the processes.
        limits: what is declared.
    """

    def __init__(self, file: SharedFile, limits: LimitOptions) -> None:
        self._file = file
        self._windows = tuple(_windows(file, limits))
        self._places = Places(file, limits.concurrent, _HUNGRY)
        self._turn = threading.Lock()

    @property
    def is_current(self) -> bool:
        """Whether other processes still find the same file."""
        return self._file.is_current

    def take_place(self) -> int:
        """Wait until one more request may be under way; give it back with :meth:`leave_place`."""
        return self._places.take()

    def leave_place(self, place: int) -> None:
        """The request is over."""
        self._places.leave(place)

    def count(self, longest_pause_s: float) -> Counted:
        """Wait until one more request may be sent, and count it.

        Raises:
            ApiUnavailable: the server asked for a pause that lasts longer.
        """
        if not self._windows:
            # Nothing to write: numbers that are each written whole need no lock.
            now = time.monotonic()
            if self._file.moment(_NOT_BEFORE) <= now and self._file.moment(_TOLD_UNTIL) <= now:
                return ()
        with self._turn:
            while True:
                with self._file.locked():
                    now = time.monotonic()
                    pause_s = self._paused_s(now)
                    wait_s = max(pause_s, *(window.free_at() - now for window in self._windows), 0)
                    if wait_s <= 0:
                        if self._file.moment(_TOLD_UNTIL) > now:
                            self._file.set_count(_TOLD_LEFT, self._file.count(_TOLD_LEFT) - 1)
                        return tuple(window.take(now) for window in self._windows)
                if pause_s > longest_pause_s:
                    raise ApiUnavailable(
                        f"the API asked to wait {pause_s:.0f} s more",
                        fix=f"run again later (the file {self._file.path} remembers it)",
                    )
                time.sleep(wait_s)

    def answered(self, counted: Counted, at: float) -> None:
        """Say when the answer to a counted request began, or that none will, on the same clock."""
        if counted:
            with self._file.locked():
                for window, taken in zip(self._windows, counted, strict=True):
                    window.answered(taken, at)

    def pause(self, seconds: float) -> None:
        """No request of any process begins before so many seconds have passed."""
        until = time.monotonic() + min(seconds, _LONGEST_PAUSE_S)
        with self._file.locked():
            if until > self._file.moment(_NOT_BEFORE):
                self._file.set_moment(_NOT_BEFORE, until)

    def heed(self, told: Told) -> None:
        """Take what an answer tells: when nothing is left, all wait for the next window.

        Requests under way may not be in that number yet, so they are taken off the first one of a
        window; those that begin later are counted here.
        """
        now = time.monotonic()
        with self._file.locked():
            under_way = self._places.held - 1
            if self._file.moment(_TOLD_UNTIL) > now:
                left = min(self._file.count(_TOLD_LEFT), told.left)
            else:
                left = told.left - under_way
            self._file.set_count(_TOLD_LEFT, left)
            self._file.set_moment(_TOLD_UNTIL, now + min(told.reset_s, _LONGEST_PAUSE_S))

    def forked(self) -> None:
        """In a child made by fork: nothing is held."""
        self._file.forked()
        self._places.forked()
        self._turn = threading.Lock()

    def _paused_s(self, now: float) -> float:
        pause_s = self._file.moment(_NOT_BEFORE) - now
        if self._file.count(_TOLD_LEFT) <= 0:
            pause_s = max(pause_s, self._file.moment(_TOLD_UNTIL) - now)
        return pause_s


def open_budget(name: str, server: str, limits: LimitOptions, folder: Path) -> Budget:
    """The budget of the API ``name``, shared by all that declare the same limits for it.

    Args:
        name: of the API.
        server: its origin: a server for tests has a budget of its own.
        limits: what is declared.
        folder: where processes of this machine find its file.
    """
    # Moments of the monotonic clock mean nothing after the machine started again.
    boot = _BOOT.read_text() if _BOOT.exists() else ""
    shared_by = "\n".join((name, server, limits.model_dump_json(), boot))
    digest = hashlib.sha256(shared_by.encode()).hexdigest()
    path = folder / f"{re.sub(r'[^A-Za-z0-9_-]', '_', name)[:60]}-{digest[:16]}.budget"
    with _OPENING:
        budget = _OPEN.get(path)
        if budget is None or not budget.is_current:
            budget = _OPEN[path] = Budget(SharedFile(path, _numbers(limits)), limits)
        return budget


def _windows(file: SharedFile, limits: LimitOptions) -> list[Window]:
    windows, start = list[Window](), _WINDOWS
    for count, span_s in ((limits.per_second, 1.0), (limits.per_minute, 60.0)):
        if count is not None:
            windows.append(Window(file, start, count, span_s))
            start += Window.numbers(count)
    return windows


def _numbers(limits: LimitOptions) -> int:
    counts = (limits.per_second, limits.per_minute)
    return _WINDOWS + sum(Window.numbers(count) for count in counts if count is not None)


def _forked() -> None:
    for budget in _OPEN.values():
        budget.forked()


os.register_at_fork(after_in_child=_forked)
