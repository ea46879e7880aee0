"""How many requests of all processes are under way at the same time."""

from __future__ import annotations

import threading
import time

from etl_platform.sources.api.transport.limits.shared_file import SharedFile

_ASK_AGAIN_S = 0.002
_ASK_AGAIN_AT_MOST_S = 0.02
_HUNGRY_S = 0.1


class Places:
    """Each place is a record lock: that of a killed process comes back by itself.

    The kernel does not tell when a lock of another process becomes free, so one thread of a process
    asks for it now and then. A process that has no place at all says so at ``hungry``; those that
    have more than one let it go first.

    Args:
        file: holds the locks.
        count: of places.
        hungry: index of the number that says until when a process without a place is waiting.
    """

    def __init__(self, file: SharedFile, count: int, hungry: int) -> None:
        self._file = file
        self._count = count
        self._hungry = hungry
        self.forked()

    @property
    def held(self) -> int:
        """Places of this process."""
        return len(self._held)

    def forked(self) -> None:
        """In a child made by fork: it holds nothing."""
        self._held = set[int]()
        self._free = threading.Condition()
        self._turn = threading.Lock()

    def take(self) -> int:
        """Wait for a place and take it."""
        pause_s = _ASK_AGAIN_S
        with self._turn:
            while True:
                with self._free:
                    place = self._asked()
                    if place is not None:
                        return place
                    if len(self._held) == self._count:  # only threads of this process can leave
                        self._free.wait()
                        continue
                    self._free.wait(pause_s)
                pause_s = min(pause_s * 1.5, _ASK_AGAIN_AT_MOST_S)

    def leave(self, place: int) -> None:
        """Give a place back."""
        with self._free:
            self._file.leave_place(place)
            self._held.discard(place)
            self._free.notify()

    def _asked(self) -> int | None:
        hungry_until = self._file.moment(self._hungry)
        if hungry_until and len(self._held) > 1 and 0 < hungry_until - time.monotonic() < _HUNGRY_S:
            return None
        for place in range(self._count):
            if place not in self._held and self._file.take_place(place):
                if hungry_until and not self._held:
                    self._file.set_moment(self._hungry, 0.0)
                self._held.add(place)
                return place
        if not self._held:
            self._file.set_moment(self._hungry, time.monotonic() + _HUNGRY_S)
        return None
