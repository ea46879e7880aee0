"""Several requests with pages of their own (one per parent), in order, some at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from queue import Empty, Full, Queue
from threading import Event
from typing import TypeVar

from etl_platform.sources.api.chain import Chain
from etl_platform.sources.api.fetching import Fetched

_T = TypeVar("_T")
_DEPTH = 4
_LOOK_S = 0.1


@dataclass
class _End:
    error: BaseException | None = None


@dataclass
class _Lane:
    """A chain that runs a few pages ahead of whoever reads it."""

    chain: Chain
    stopped: Event
    pages: Queue[Fetched | _End] = field(default_factory=lambda: Queue(_DEPTH))

    def run(self) -> None:
        end = _End()
        try:
            for page in self.chain.pages():
                if not self._put(page):
                    return
        except BaseException as error:  # noqa: BLE001  # raised again where the pages are read
            end.error = error
        self._put(end)

    def _put(self, item: Fetched | _End) -> bool:
        while not self.stopped.is_set():
            try:
                self.pages.put(item, timeout=_LOOK_S)
            except Full:
                continue
            return True
        return False

    def read(self) -> Iterator[Fetched]:
        while True:
            try:
                item = self.pages.get(timeout=_LOOK_S)
            except Empty:
                continue
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item


def in_turn(
    owners: Iterable[_T], chain_of: Callable[[_T], Chain], concurrency: int, *, at_once: bool = True
) -> Iterator[tuple[_T, Chain, Fetched]]:
    """The pages of all chains, chain after chain in the order of their owners.

    A single chain fetches its own pages at the same time where it can; of several, each is read
    page by page, and up to ``concurrency`` of them at the same time. Each runs at most a few pages
    ahead, so that memory stays bounded.

    Args:
        at_once: False reads also the pages of a single chain one by one.

    Raises:
        ApiRefused, ApiUnavailable, BadResponse, PagesShifted: of the first chain that fails; those
            before it are delivered whole.
    """
    waiting = iter(owners)
    first = list(islice(waiting, 2))
    if len(first) == 1:
        chain = chain_of(first[0])
        with ThreadPoolExecutor(concurrency, "api-page") as pool:
            for page in chain.pages(pool if at_once else None, concurrency):
                yield first[0], chain, page
        return
    stopped = Event()
    running: deque[tuple[_T, _Lane]] = deque()
    with ThreadPoolExecutor(concurrency, "api-chain") as pool:

        def start(owner: _T) -> None:
            lane = _Lane(chain_of(owner), stopped)
            running.append((owner, lane))
            pool.submit(lane.run)

        try:
            for owner in (*first, *islice(waiting, max(concurrency - len(first), 0))):
                start(owner)
            while running:
                owner, lane = running.popleft()
                for page in lane.read():
                    yield owner, lane.chain, page
                while len(running) < concurrency and (more := next(waiting, None)) is not None:
                    start(more)
        finally:
            stopped.set()
