"""How many requests of all processes begin in any second, or in any minute."""

from __future__ import annotations

from etl_platform.sources.api.transport.limits.shared_file import SharedFile

_ARRIVES_WITHIN_S = 5.0


class Window:
    """At most ``count`` requests arrive in any ``span_s`` seconds, wherever these begin.

    A ring of as many moments as requests are allowed: each is when the request that took it stops
    to count. A server counts a request somewhere between its sending and the start of its answer,
    so it stops to count ``span_s`` after the latter; or, where the server thinks for long, after
    the seconds within which it must have arrived. (A bucket of tokens would let nearly twice as
    many arrive in an unlucky span.) A killed process leaves a moment that passes like any other.

    Args:
        file: holds the numbers.
        start: index of the first of its :attr:`numbers`.
        count: of requests.
        span_s: seconds.
    """

    def __init__(self, file: SharedFile, start: int, count: int, span_s: float) -> None:
        self._file = file
        self._head = start
        self._ring = start + 1
        self._count = count
        self._span_s = span_s

    @staticmethod
    def numbers(count: int) -> int:
        """How many numbers a window needs."""
        return count + 1

    def free_at(self) -> float:
        """When the next request may be sent, on the monotonic clock; with the file locked."""
        return self._file.moment(self._ring + self._file.count(self._head) % self._count)

    def take(self, now: float) -> int:
        """Count a request that is sent now; with the file locked."""
        head = self._file.count(self._head) % self._count
        self._file.set_moment(self._ring + head, now + _ARRIVES_WITHIN_S + self._span_s)
        self._file.set_count(self._head, (head + 1) % self._count)
        return head

    def answered(self, taken: int, at: float) -> None:
        """Say when the answer began; with the file locked."""
        moment = self._file.moment(self._ring + taken)
        if moment > at + self._span_s:
            self._file.set_moment(self._ring + taken, at + self._span_s)
