"""Pages in order, fetched several at a time where the way of paging allows it."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from threading import Lock

from etl_platform.core.errors import TransientError
from etl_platform.sources.api.fetching import NOT_FOUND, Fetched, Requests
from etl_platform.sources.api.messages import ApiRequest, BadResponse
from etl_platform.sources.api.pagination.detection import Found, detect
from etl_platform.sources.api.pagination.protocol import Ahead, Scheme, Step
from etl_platform.sources.api.records.reading import Page

_REPEATS = 3
"""Pages that were there before: more is no accident any more."""


class PagesShifted(TransientError):
    """Records went away while pages were read, so that others moved to pages read before."""


@dataclass
class Chain:
    """The pages of one request: all of a resource, or those of one parent.

    Attributes:
        declared: the way of paging; None finds it from the first answer.
        found: the way of paging, once the first page has been read.
        at_once: several pages were asked for at the same time.
        steady: all answers told the same number of records.
        total: records that there were at first; None where answers do not say.
    """

    declared: Scheme | None
    requests: Requests
    fetch: Callable[[ApiRequest], Fetched]
    found: Found | None = None
    total: int | None = None
    at_once: bool = False
    steady: bool = True
    _known: bool = False
    _steps: dict[str, int] = field(default_factory=dict[str, int])
    _contents: dict[bytes, int] = field(default_factory=dict[bytes, int])
    _repeats: int = 0
    _most: int = 0
    _lock: Lock = field(default_factory=Lock)

    def pages(
        self, pool: ThreadPoolExecutor | None = None, concurrency: int = 1
    ) -> Iterator[Fetched]:
        """All pages in order.

        Args:
            pool: fetches pages at the same time, where they need not be read one by one.
            concurrency: most of them.

        Raises:
            BadResponse: pages that come again and again.
            PagesShifted: records went away meanwhile.
        """
        # What is not declared is asked for as it is, without a page's number.
        step = Step() if self.declared is None else self.declared.first()
        opening = self._fetched(step)
        self.found = self._way(opening)
        self.total = self.found.scheme.total(opening.page)
        self._most = self.total or 0
        scheme = self.found.scheme
        step = scheme.first()
        last = self._checked(step, opening)
        yield last
        if last.page.document is None and not last.page.records:
            return  # such as 204 and 304 say nothing about pages
        ahead = scheme.ahead(step, last.page) if pool is not None else None
        if ahead is not None and pool is not None:
            self._known, self.at_once = ahead.known, True
            for step, last in self._at_once(scheme, ahead, pool, concurrency):  # noqa: B007  # the last counts
                yield last
        # One by one; after pages that were known, those that were added meanwhile.
        following = scheme.after(step, last.page)
        while following is not None:
            step = following
            last = self._checked(step, self._fetched(step))
            yield last
            following = scheme.after(step, last.page)

    def _way(self, opening: Fetched) -> Found:
        if self.declared is not None:
            return Found(self.declared, "declared")
        return detect(opening.page, lambda step: self._fetched(step).page)

    def _fetched(self, step: Step) -> Fetched:
        most = self._most
        request = self.requests.build(step)
        if step.beyond:
            request = replace(request, answers=request.answers | {NOT_FOUND})
        fetched = self.fetch(request)
        if self.found is not None:
            self._follow_total(self.found.scheme, fetched, most)
        return fetched

    def _at_once(
        self, scheme: Scheme, ahead: Ahead, pool: ThreadPoolExecutor, concurrency: int
    ) -> Iterator[tuple[Step, Fetched]]:
        running: deque[tuple[Step, Future[Fetched]]] = deque()
        # Twice as many: while the oldest is waited for, no thread is without work.
        most = concurrency * 2 if ahead.known else concurrency

        def start() -> None:
            while len(running) < most:
                step = next(ahead.steps, None)
                if step is None:
                    return
                running.append((step, pool.submit(self._fetched, step)))

        try:
            start()
            while running:
                step, future = running.popleft()
                start()
                found = self._checked(step, future.result())
                yield step, found
                if not ahead.known and scheme.after(step, found.page) is None:
                    return
        finally:
            for _, future in running:
                future.cancel()

    def _checked(self, step: Step, fetched: Fetched) -> Fetched:
        page = fetched.page
        number = len(self._steps) + 1
        first = self._steps.setdefault(str(step), number)
        if first != number:
            raise BadResponse(
                f"{page.response.url}: page {number} is page {first} again ({step}): the server "
                "leads in a circle",
                fix="declare pagination as the API's documentation says",
            )
        if page.records and not self._known:
            self._count_repeat(number, page)
        return fetched

    def _count_repeat(self, number: int, page: Page) -> None:
        found = hashlib.blake2b(digest_size=16)
        for record in page.records:
            found.update(record)
        first = self._contents.setdefault(found.digest(), number)
        self._repeats += first != number
        if self._repeats >= _REPEATS:
            raise BadResponse(
                f"{page.response.url}: page {number} holds what page {first} held, as "
                f"{_REPEATS - 1} pages before it did: the server does not go on",
                fix="declare pagination as the API's documentation says: its parameter may have "
                "another name",
            )

    def _follow_total(self, scheme: Scheme, fetched: Fetched, most: int) -> None:
        """Refuse pages of a resource that lost records.

        Args:
            most: records in all, as answers said that were complete before this one was asked for.
                Of answers under way at the same time, none is known to be the older one.
        """
        total = scheme.total(fetched.page)
        if total is None:
            return
        if fetched.fresh and total < most:
            raise PagesShifted(
                f"{fetched.page.response.url}: {total} records in all, {most} when pages before "
                "were read: records that moved to earlier pages would be missing",
                fix="run again; declare keyset or cursor pagination if the API has it",
            )
        with self._lock:
            self._most = max(self._most, total)
            self.steady &= total == self.total
