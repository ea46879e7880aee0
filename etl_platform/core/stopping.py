"""Work beyond Python's reach that an interrupt has to stop: statements of servers and of engines.

A signal interrupts Python code, but not the C code that waits for a database or computes; and a
server goes on with a statement whose client has merely gone. Whoever starts such work says here how
it is stopped. :func:`interruptible` then watches for signals in a thread of its own: Python's C
handler writes each signal to a file at once, whatever the main thread does (``set_wakeup_fd``).
"""

from __future__ import annotations

import logging
import signal
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol, TypeVar
from weakref import WeakSet

from etl_platform.core.errors import TransientError

_log = logging.getLogger(__name__)
_SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGALRM})
Event = TypeVar("Event")


class Interruptible(Protocol):
    """What has a method that stops what it does, callable from any thread: DuckDB, SQLite."""

    def interrupt(self) -> None:
        """Stop."""


class TimedOut(TransientError):
    """An asset took longer than its timeout allows."""


_sessions: WeakSet[Interruptible] = WeakSet()
_stops: dict[object, Callable[[], None]] = {}
_lock = threading.Lock()


def watch(session: Interruptible) -> None:
    """Interrupt a session when work is stopped, for as long as it lives."""
    with _lock:
        _sessions.add(session)


@contextmanager
def stoppable(stop: Callable[[], None]) -> Generator[None]:
    """Call ``stop`` when work is stopped while this context is open, or this is left unfinished.

    The main thread may be faster than the thread that watches for signals: an interrupt, a timeout
    or a reader that gives up (``GeneratorExit``) then come here first. Work that failed by itself
    needs no stop.

    Args:
        stop: called from another thread, beside others; has to come back within a second or two.
    """
    mark = object()
    with _lock:
        _stops[mark] = stop
    try:
        yield
    except BaseException as error:
        if isinstance(error, TimedOut) or not isinstance(error, Exception):
            _try(stop)
        raise
    finally:
        with _lock:
            del _stops[mark]


def stop_all() -> None:
    """Stop everything that is under way in this process, and wait until it was told."""
    with _lock:
        told = [*_stops.values(), *(session.interrupt for session in _sessions)]
    threads = [threading.Thread(target=_try, args=(stop,), daemon=True) for stop in told]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=5)


def _try(stop: Callable[[], None]) -> None:
    try:
        stop()
    except Exception as error:  # noqa: BLE001 # of any driver; the other work has to stop as well
        _log.warning("work could not be stopped: %s", type(error).__name__)


@contextmanager
def interruptible() -> Generator[Callable[[], bool]]:
    """Stop all work as soon as SIGINT, SIGTERM or SIGALRM arrives.

    The signal's own handler runs when the main thread is back in Python, which then is at once. In
    other threads, which get no signals, and inside of another such context this does nothing.

    Yields:
        Tells whether SIGINT or SIGTERM arrived. DuckDB runs handlers while it computes, and forgets
        what they raise: its own error then stands for the interrupt.
    """
    arrived: set[int] = set()
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    ours, theirs = socket.socketpair()
    theirs.settimeout(0)
    before = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    if before != -1:
        # Somebody watches already: an outer context, or an event loop.
        signal.set_wakeup_fd(before, warn_on_full_buffer=False)
        ours.close()
        theirs.close()
        yield lambda: False
        return
    watcher = threading.Thread(
        target=_stop_on_signal, args=(ours, arrived), name="etl-stop", daemon=True
    )
    watcher.start()
    try:
        yield lambda: bool(arrived & {signal.SIGINT, signal.SIGTERM})
    finally:
        signal.set_wakeup_fd(-1)
        theirs.close()
        watcher.join()
        ours.close()


def _stop_on_signal(signals: socket.socket, arrived: set[int]) -> None:
    while numbers := signals.recv(64):
        arrived.update(numbers)
        if _SIGNALS.intersection(numbers):
            stop_all()


def within(events: Iterator[Event], limit_s: float | None, what: str) -> Iterator[Event]:
    """The same events; the time that ``events`` itself takes, not its reader, is limited.

    Holds in the main thread, where steps of Dagster run; elsewhere there is no limit.

    Raises:
        TimedOut: the limit was reached; statements and computations under way were stopped.
    """
    if limit_s is None or threading.current_thread() is not threading.main_thread():
        yield from events
        return
    left = limit_s
    while True:
        started = time.monotonic()
        with _alarm(left, what, limit_s):
            try:
                event = next(events)
            except StopIteration:
                return
        left = max(0.001, left - (time.monotonic() - started))
        yield event


@contextmanager
def _alarm(seconds: float, what: str, limit_s: float) -> Generator[None]:
    error = TimedOut(
        f"{what} was not done within its timeout of {limit_s:g} s, and was stopped",
        fix="read less at a time, or raise timeout",
    )
    fired = False

    def raise_timed_out(_number: int, _frame: FrameType | None) -> None:
        nonlocal fired
        fired = True
        raise error

    before = signal.signal(signal.SIGALRM, raise_timed_out)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except Exception as stopped:
        # What was stopped says that it was, and may have swallowed what the handler raised.
        if fired and stopped is not error:
            raise error from stopped
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
