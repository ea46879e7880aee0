"""A small file that processes of one machine write in turn, without ever waiting for a disk.

Its pages are memory shared through the page cache, never flushed on purpose: they only have to
outlive processes, not the machine. Locks are the kernel's record locks, which end with the process
that holds them, however it ends. A process holds them as a whole (POSIX), so threads need a lock
of their own beside them, and no process may open a file twice: closing one would drop the locks of
the other.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

_STATE_LOCK = 0
_PLACES_LOCK = 1 << 30
"""Locks reach beyond the end of a file: the places need no bytes."""
_DOUBLE, _INT = struct.Struct("=d"), struct.Struct("=q")


class SharedFile:
    """Numbers of 8 bytes by index, all 0 at first, and locks.

    Args:
        path: of the file; it is made, with its folder.
        numbers: how many there are.
    """

    def __init__(self, path: Path, numbers: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.truncate(self._file, max(numbers * 8, os.fstat(self._file).st_size))
        self._memory = mmap.mmap(self._file, numbers * 8)
        self._threads = threading.Lock()

    @property
    def is_current(self) -> bool:
        """Whether the path still leads to this file, and nobody deleted it."""
        try:
            found = self.path.stat()
        except OSError:
            return False
        own = os.fstat(self._file)
        return (found.st_ino, found.st_dev) == (own.st_ino, own.st_dev)

    @contextmanager
    def locked(self) -> Generator[None]:
        """Nobody else reads or writes numbers meanwhile."""
        with self._threads:
            fcntl.lockf(self._file, fcntl.LOCK_EX, 1, _STATE_LOCK)
            try:
                yield
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _STATE_LOCK)

    def take_place(self, place: int) -> bool:
        """Whether no other process held this place; this process must not hold it itself."""
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _PLACES_LOCK + place)
        except OSError:
            return False
        return True

    def leave_place(self, place: int) -> None:
        """Give a place back."""
        fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _PLACES_LOCK + place)

    def moment(self, index: int) -> float:
        """A number as seconds."""
        return _DOUBLE.unpack_from(self._memory, index * 8)[0]

    def set_moment(self, index: int, value: float) -> None:
        """Write seconds."""
        _DOUBLE.pack_into(self._memory, index * 8, value)

    def count(self, index: int) -> int:
        """A number as an integer."""
        return _INT.unpack_from(self._memory, index * 8)[0]

    def set_count(self, index: int, value: int) -> None:
        """Write an integer."""
        _INT.pack_into(self._memory, index * 8, value)

    def forked(self) -> None:
        """In a child made by fork: it holds no record locks, and no thread of it holds a lock."""
        self._threads = threading.Lock()
