"""What is tried again, when, and until when."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from tenacity import RetryCallState, Retrying, retry_if_exception_type

from etl_platform.core.errors import EtlError
from etl_platform.sources.api.messages import ApiResponse, ApiUnavailable
from etl_platform.sources.api.options import RetryOptions
from etl_platform.sources.api.transport.wire import Answer

PUT_OFF, BUSY = 429, 503
_TRANSIENT = {408, 425, 500, 502, 503, 504, *range(520, 528), 529, 530}


class Again(Exception):
    """This attempt failed and another may not.

    Args:
        error: what is raised when there is no other.
        put_off: the server was asked too much: that is not counted as an attempt.
        paused: the budget makes all requests wait already.
    """

    def __init__(self, error: EtlError, *, put_off: bool = False, paused: bool = False) -> None:
        self.error = error
        self.put_off = put_off
        self.paused = paused
        super().__init__()


@dataclass(slots=True)
class Trial:
    """What one request has gone through.

    Attributes:
        failed: attempts that count.
        put_off: answers 429.
        waited_s: for places in the budget, which is nobody's failure.
    """

    began_at: float = field(default_factory=time.monotonic)
    failed: int = 0
    put_off: int = 0
    waited_s: float = 0.0

    @property
    def spent_s(self) -> float:
        """Seconds since the request began, without those of :attr:`waited_s`."""
        return time.monotonic() - self.began_at - self.waited_s


def retrying(
    options: RetryOptions, attempt: Callable[..., ApiResponse], *given: object, trial: Trial
) -> ApiResponse:
    """Call ``attempt`` until it answers.

    Raises:
        EtlError: that of the last attempt, as :class:`ApiUnavailable` where it may go away.
    """

    def wait(state: RetryCallState) -> float:
        again = _again(state)
        if again.paused:
            return 0.0
        doubled = options.first_wait_s * 2 ** min(trial.failed + trial.put_off - 1, 20)
        # "Equal jitter": threads that failed together do not come back together.
        return min(doubled, options.longest_wait_s) * random.uniform(0.5, 1.0)

    def stop(state: RetryCallState) -> bool:
        again = _again(state)
        if again.put_off:
            trial.put_off += 1
        else:
            trial.failed += 1
        return trial.failed >= options.attempts or trial.spent_s >= options.total_s

    policy = Retrying(retry=retry_if_exception_type(Again), wait=wait, stop=stop, reraise=True)
    try:
        return policy(attempt, *given, trial)
    except Again as again:
        error = again.error
        tries = f"{trial.failed} attempts" + (
            f" and {trial.put_off} times 429" if trial.put_off else ""
        )
        what = f"{error.what} (after {tries} in {trial.spent_s:.1f} s)"
        kind = ApiUnavailable if isinstance(error, ApiUnavailable) else type(error)
        raise kind(what, valid=error.valid, fix=error.fix) from None


def is_transient(status: int) -> bool:
    """Whether the same request may do better later."""
    return status in _TRANSIENT


def retry_after_s(answer: Answer) -> float | None:
    """Seconds that ``Retry-After`` asks for (RFC 9110, section 10.2.3), from either of its forms.

    A date is compared with the server's own ``Date`` where it sends one: clocks differ.
    """
    text = answer.headers.get("retry-after", "").strip()
    if not text:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    now = datetime.now(UTC)
    with suppress(KeyError, ValueError):
        now = parsedate_to_datetime(answer.headers["date"])
    return max(0.0, (_aware(until) - _aware(now)).total_seconds())


def _aware(at: datetime) -> datetime:
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _again(state: RetryCallState) -> Again:
    error = state.outcome.exception() if state.outcome is not None else None
    assert isinstance(error, Again)
    return error
