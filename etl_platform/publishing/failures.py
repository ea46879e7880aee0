"""Errors of the platform as Dagster understands them: retried with backoff, or failed at once.

A policy of Dagster's would retry every exception, so none comes to the one that a step has: a
transient error asks for its own retry, everything else fails the run the first time, unless it is
declared that errors of unknown kinds are tried again too. The policy is for steps whose process
dies. An interrupt stops what servers and engines do.
"""

from __future__ import annotations

import random
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster_shared.error import SerializableErrorInfo

from etl_platform.core.errors import PermanentError, TransientError
from etl_platform.core.redaction import hide, redact
from etl_platform.core.stopping import interruptible

if TYPE_CHECKING:
    from traceback import TracebackException


class AfterCrash(dg.RetryPolicy):
    """For Dagster's executors: what they do when the process of a step dies without a word.

    Where a step has a policy, Dagster takes a cancellation for one more reason to try it again
    (1.13, ``op_execution_error_boundary``). This one is none, and false, where that was asked for.
    """

    cancelled = False

    def __bool__(self) -> bool:
        return not AfterCrash.cancelled


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a transient error is retried; waits double from ``delay_s`` up to ``longest_s``.

    ``jitter`` is the share by which a wait is shortened at most, at random, so that assets that
    failed together do not come back together. ``unknown`` retries errors of other kinds too.
    """

    attempts: int = 3
    delay_s: float = 10.0
    longest_s: float = 600.0
    jitter: float = 0.0
    unknown: bool = False

    @property
    def policy(self) -> dg.RetryPolicy | None:
        """How often, and when, a step is tried again whose process died; None for never."""
        if not self.attempts:
            return None
        return AfterCrash(
            max_retries=self.attempts, delay=self.delay_s, backoff=dg.Backoff.EXPONENTIAL
        )

    def wait_s(self, attempt: int) -> float:
        """Seconds before the retry that follows the given number of earlier retries."""
        wait = min(self.delay_s * 2**attempt, self.longest_s)
        return wait * (1 - self.jitter * random.random())


@contextmanager
def run_errors(attempt: int, retries: Retries) -> Generator[None]:
    """Translate the platform's errors inside an asset's body.

    Args:
        attempt: how many retries this step has behind it (``context.retry_number``).

    Raises:
        dagster.RetryRequested: for a :class:`TransientError`, and where a disk was full.
        dagster.Failure: for all others, never retried, whatever policy the op has.
        DagsterExecutionInterruptedError: the run was cancelled; never retried.
    """
    AfterCrash.cancelled = False
    with interruptible() as interrupted:
        try:
            yield
        except (DagsterExecutionInterruptedError, KeyboardInterrupt):
            AfterCrash.cancelled = True
            raise
        except Exception as error:
            if interrupted() or _CANCELLED in str(error):
                # The error of what was stopped, not a reason to try again. ADBC takes the interrupt
                # for itself, and only PostgreSQL says that there was one.
                AfterCrash.cancelled = True
                raise DagsterExecutionInterruptedError from error
            if isinstance(error, dg.Failure | dg.RetryRequested):
                raise
            if isinstance(error, PermanentError):
                raise dg.Failure(description=redact(str(error)), allow_retries=False) from error
            if isinstance(error, TransientError) or retries.unknown or _no_space(error):
                raise dg.RetryRequested(
                    max_retries=retries.attempts, seconds_to_wait=retries.wait_s(attempt)
                ) from error
            said = redact(f"{type(error).__name__}: {error}")
            raise dg.Failure(description=said, allow_retries=False) from error


def _no_space(error: BaseException | None) -> bool:
    """Whether a disk was full; every library has an error of its own for that."""
    while error is not None:
        if any(said in str(error).lower() for said in _FULL):
            return True
        error = error.__cause__ or error.__context__
    return False


_CANCELLED = "canceling statement due to user request"
_FULL = ("no space left on device", "disk is full", "disk quota exceeded")
_RESUMED = ("dagster/is_resume_retry", "dagster/is_asset_resume_retry")


def batch_of(run: dg.DagsterRun, partition: str | None) -> str:
    """The batch that a run's commit to a table carries, so that doing the work twice commits once.

    A step retried within a run, and a run resumed from its failure (by the UI, the daemon's run
    retries or ``DagsterInstance.create_reexecuted_run``), continue the same batch. Any other run is
    new work, even when it re-executes an old one.
    """
    resumed = any(run.tags.get(tag) == "true" for tag in _RESUMED)
    work = run.root_run_id if resumed and run.root_run_id else run.run_id
    return work if partition is None else f"{work}/{partition}"


def _hide_secrets_in_stored_errors() -> None:
    """Let every exception that Dagster stores, logs or sends to its web server lose its secrets.

    An exception that is not of the platform's hierarchy comes here as a driver made it. Dagster
    has no hook between an exception and what it keeps of it: this classmethod is the one place
    that all of them pass.
    """
    made = SerializableErrorInfo.from_traceback

    def from_traceback(
        cls: type[SerializableErrorInfo], tb: TracebackException
    ) -> SerializableErrorInfo:
        found = made(tb)
        return cls(
            message=redact(found.message),
            stack=[hide(line) for line in found.stack],
            cls_name=found.cls_name,
            cause=found.cause,
            context=found.context,
        )

    setattr(SerializableErrorInfo, "from_traceback", classmethod(from_traceback))  # noqa: B010


_hide_secrets_in_stored_errors()
