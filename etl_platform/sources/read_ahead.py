"""Producers that run ahead of their consumer, in threads, into one small queue.

While the consumer writes one batch, the next ones are read and parsed: what the network, the server
and the disk do overlaps. The queue is bounded, so memory does not follow the table.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from threading import Condition, Thread
from typing import Generic, TypeVar

T = TypeVar("T")


class Stopped(Exception):
    """Raised inside a producer that nobody listens to any more; never reaches the consumer."""


class _Lane(Generic[T]):
    """The queue, and whether it is still worth filling."""

    def __init__(self, producers: int, depth: int) -> None:
        self._changed = Condition()
        self._items: deque[T] = deque()
        self._depth = depth
        self._running = producers
        self._stopped = False
        self._error: BaseException | None = None

    def check(self) -> None:
        """Raise :class:`Stopped` once producing is in vain."""
        if self._stopped:
            raise Stopped

    def put(self, item: T) -> None:
        with self._changed:
            self._changed.wait_for(lambda: len(self._items) < self._depth or self._stopped)
            self.check()
            self._items.append(item)
            self._changed.notify_all()

    def finished(self, error: BaseException | None) -> None:
        with self._changed:
            self._running -= 1
            if error is not None and not self._stopped:
                self._error = error
                self._stopped = True
            self._changed.notify_all()

    def more(self) -> bool:
        """Wait for an item; False after the last; raises what a producer raised."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._error or not self._running)
            if self._error is not None:
                raise self._error
            return bool(self._items)

    def take(self) -> T:
        """The item that :meth:`more` has seen."""
        with self._changed:
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()


Producer = Callable[[Callable[[], None]], Iterable[T]]
"""Gives the items. It is handed a check to call where it waits: it raises :class:`Stopped`."""


def read_ahead(producers: Sequence[Producer[T]], depth: int) -> Generator[T, None, None]:
    """Items of all producers as they come: in the order of one producer, mixed between several.

    Nothing runs before the first item is asked for. When this generator is closed, or a producer
    raises, every producer is stopped and waited for; the first error is raised here.

    Args:
        producers: each runs in a thread of its own.
        depth: most items that wait to be taken; every producer may hold one more.
    """
    lane: _Lane[T] = _Lane(len(producers), depth)
    threads = [
        Thread(target=_produce, args=(producer, lane), daemon=True) for producer in producers
    ]
    for thread in threads:
        thread.start()
    try:
        while lane.more():
            yield lane.take()
    finally:
        lane.stop()
        for thread in threads:
            thread.join()


def _produce(producer: Producer[T], lane: _Lane[T]) -> None:
    error = None
    try:
        for item in producer(lane.check):
            lane.put(item)
            del item  # not held while the next one is made
    except Stopped:
        pass
    except BaseException as raised:  # noqa: BLE001  # it is raised again in the consumer's thread
        error = raised
    finally:
        lane.finished(error)
