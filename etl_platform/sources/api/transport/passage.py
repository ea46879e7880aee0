"""The way to a server: in turn where it is the API's own, at once where it is another."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager

from etl_platform.sources.api.transport.limits import Budget
from etl_platform.sources.api.transport.limits.told import told_by
from etl_platform.sources.api.transport.urls import Origin, Target
from etl_platform.sources.api.transport.wire import Answer, Wire


class Passage:
    """Every request of an API goes through here, those for tokens too: servers count them all.

    Args:
        wire: sends.
        budget: of the API.
        home: the API's own origin.
        longest_pause_s: that is waited for when the server asks for one.
    """

    def __init__(self, wire: Wire, budget: Budget, home: Origin, longest_pause_s: float) -> None:
        self.home = home
        self.budget = budget
        self._wire = wire
        self._longest_pause_s = longest_pause_s
        self._thread = threading.local()

    @contextmanager
    def place(self) -> Generator[float]:
        """Hold one of the places of requests under way; gives the seconds waited for it.

        What the thread sends meanwhile is sent in this place. Credentials are asked for inside: a
        token is not old when its turn comes, and whoever renews it needs no second place, for
        which all others could be waiting.
        """
        asked_at = time.monotonic()
        place = self.budget.take_place()
        self._thread.has_place = True
        try:
            yield time.monotonic() - asked_at
        finally:
            self._thread.has_place = False
            self.budget.leave_place(place)

    def exchange(
        self,
        target: Target,
        method: str,
        headers: dict[str, str],
        body: bytes | None = None,
    ) -> tuple[Answer, float]:
        """Send one request; its answer, and the seconds waited for the turn.

        Raises:
            ApiUnavailable: the API asked for a longer pause.
            BrokenOff, BadResponse, ApiRefused: see :meth:`Wire.exchange`.
        """
        headers = headers | {"host": target.origin.authority, "accept-encoding": "gzip"}
        if body is not None:
            headers["content-length"] = str(len(body))
        lines = [(name.encode(), value.encode()) for name, value in headers.items()]
        if target.origin != self.home:
            return self._wire.exchange(target, method, lines, body), 0.0
        if getattr(self._thread, "has_place", False):
            return self._counted(target, method, lines, body)
        with self.place() as waited_s:
            answer, more_s = self._counted(target, method, lines, body)
            return answer, waited_s + more_s

    def close(self) -> None:
        """Let go of connections."""
        self._wire.close()

    def _counted(
        self,
        target: Target,
        method: str,
        lines: list[tuple[bytes, bytes]],
        body: bytes | None,
    ) -> tuple[Answer, float]:
        asked_at = time.monotonic()
        counted = self.budget.count(self._longest_pause_s)
        waited_s = time.monotonic() - asked_at
        try:
            answer = self._wire.exchange(target, method, lines, body)
        except BaseException:
            self.budget.answered(counted, time.monotonic())
            raise
        self.budget.answered(counted, answer.answered_at)
        told = told_by(answer.headers)
        if told is not None:
            self.budget.heed(told)
        return answer, waited_s
