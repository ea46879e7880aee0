"""Signals stop what Python waits for, and time limits do."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import duckdb
import pytest

from etl_platform.core.duck import connect
from etl_platform.core.stopping import TimedOut, interruptible, stoppable, within

ENDLESS = (
    "SELECT count(*) FROM range(100000000) AS a, range(1000000) AS b "
    "WHERE (a.range * b.range) % 7 = 3"
)


@pytest.fixture
def quiet_handler() -> Iterator[None]:
    """What Python itself does about the signal is nothing."""
    before = signal.signal(signal.SIGINT, lambda *_: None)
    yield
    signal.signal(signal.SIGINT, before)


def interrupt_soon() -> None:
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()


@pytest.mark.usefixtures("quiet_handler")
def test_a_signal_stops_a_computation_of_duckdb() -> None:
    with connect() as con, interruptible() as interrupted:
        interrupt_soon()
        with pytest.raises(duckdb.InterruptException):
            con.execute(ENDLESS).fetchall()
        assert interrupted()


@pytest.mark.usefixtures("quiet_handler")
def test_a_signal_calls_every_stop_that_is_registered_whatever_the_others_raise() -> None:
    called = threading.Event()

    def broken() -> None:
        raise OSError("the server is gone")

    with interruptible(), stoppable(broken), stoppable(called.set):
        os.kill(os.getpid(), signal.SIGINT)
        assert called.wait(10)


def test_a_body_that_takes_too_long_is_stopped_and_its_reader_is_not() -> None:
    with connect() as con:

        def body() -> Iterator[int]:
            yield 1
            con.execute(ENDLESS).fetchall()

        events = within(body(), 0.3, "shop.orders")
        with interruptible():
            assert next(events) == 1
            threading.Event().wait(0.5)  # the reader's own time does not count
            with pytest.raises(TimedOut, match=r"shop\.orders .* timeout of 0.3 s"):
                next(events)


def test_without_a_limit_and_within_it_every_event_comes() -> None:
    assert list(within(iter([1, 2]), None, "x")) == [1, 2]
    assert list(within(iter([1, 2]), 60, "x")) == [1, 2]
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
