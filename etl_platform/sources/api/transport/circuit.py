"""Stops asking a server that fails everyone (Nygard, "Release It!", circuit breaker)."""

from __future__ import annotations

import threading
import time

from etl_platform.sources.api.messages import ApiUnavailable


class Circuit:
    """Opens after so many failures in a row; then one request at a time finds out whether it holds.

    Args:
        name: of the API.
        failures: in a row, of all threads, that open it.
        open_s: seconds until one request may try.
    """

    def __init__(self, name: str, failures: int, open_s: float) -> None:
        self._name = name
        self._failures = failures
        self._open_s = open_s
        self._failed = 0
        self._try_at = 0.0
        self._last = ""
        self._lock = threading.Lock()

    def check(self) -> None:
        """Refuse a request while the circuit is open.

        Raises:
            ApiUnavailable: with the last failure.
        """
        if self._failed < self._failures:
            return
        with self._lock:
            now = time.monotonic()
            if self._failed >= self._failures and now < self._try_at:
                raise ApiUnavailable(
                    f"{self._name} failed {self._failed} times in a row and is left alone for "
                    f"{self._try_at - now:.0f} s; last: {self._last}"
                )
            self._try_at = now + self._open_s  # this one tries, the others wait for it

    def succeeded(self) -> None:
        """The server answered as servers do."""
        if self._failed:
            with self._lock:
                self._failed = 0

    def failed(self, what: str) -> None:
        """The server did not answer, or with an error of its own."""
        with self._lock:
            self._failed += 1
            self._last = what
            if self._failed == self._failures:
                self._try_at = time.monotonic() + self._open_s
