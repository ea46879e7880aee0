"""Several iterators at the same time, as one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")


def interleaved(sources: Sequence[Callable[[], Iterator[T]]], threads: int) -> Iterator[T]:
    """The items of all sources; each source keeps its order.

    One item per thread waits at most, and as many are being made. The first error of a source ends
    all of them. When the caller stops early so do the threads.
    """
    if len(sources) == 1 or threads <= 1:
        for source in sources:
            yield from source()
        return
    # An item, or the future of a source that came to its end.
    arrived: SimpleQueue[tuple[T] | Future[None]] = SimpleQueue()
    free = threading.Semaphore(threads)
    stopped = threading.Event()

    def run(source: Callable[[], Iterator[T]]) -> None:
        for item in source():
            free.acquire()
            if stopped.is_set():
                return
            arrived.put((item,))

    pool = ThreadPoolExecutor(min(threads, len(sources)), "kinesis-read")
    try:
        for source in sources:
            pool.submit(run, source).add_done_callback(arrived.put)
        left = len(sources)
        while left:
            found = arrived.get()
            if isinstance(found, Future):
                found.result()
                left -= 1
            else:
                free.release()
                yield found[0]
    finally:
        stopped.set()
        for _ in sources:
            free.release()
        pool.shutdown(wait=True, cancel_futures=True)
