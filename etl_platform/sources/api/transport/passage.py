"""The way to a server: in turn where it is the API's own, at once where it is another."""

from __future__ import annotations

import time

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
        asked_at = time.monotonic()
        turn = self.budget.take(self._longest_pause_s)
        waited_s = time.monotonic() - asked_at
        answered_at = None
        try:
            answer = self._wire.exchange(target, method, lines, body)
            answered_at = answer.answered_at
            told = told_by(answer.headers)
            if told is not None:
                self.budget.heed(told)
            return answer, waited_s
        finally:
            self.budget.leave(turn, answered_at)

    def close(self) -> None:
        """Let go of connections."""
        self._wire.close()
