"""Which errors are retried, and which batch a run belongs to."""

from __future__ import annotations

import errno
import sqlite3

import dagster as dg
import duckdb
import pytest
from dagster._core.errors import DagsterExecutionInterruptedError
from deltalake.exceptions import DeltaError

from etl_platform.core.errors import PermanentError, SourceUnavailable
from etl_platform.publishing.failures import AfterCrash, Retries, batch_of, run_errors


def test_a_transient_error_asks_for_a_retry_that_waits_longer_each_time() -> None:
    waits = []
    for attempt in range(3):
        with pytest.raises(dg.RetryRequested) as raised, run_errors(attempt, Retries(5, 1.0, 3.0)):
            raise SourceUnavailable("gone")
        waits.append(raised.value.seconds_to_wait)
        assert raised.value.max_retries == 5
    assert waits == [1.0, 2.0, 3.0]


def test_a_permanent_error_fails_without_retry_and_without_secrets() -> None:
    with pytest.raises(dg.Failure) as raised, run_errors(0, Retries()):
        raise PermanentError("cannot read postgresql://etl:hunter2@db/shop")
    assert raised.value.allow_retries is False
    assert "hunter2" not in str(raised.value.description)
    assert "cannot read" in str(raised.value.description)


def test_an_error_of_another_kind_fails_without_retry_with_its_name_and_cause() -> None:
    with pytest.raises(dg.Failure) as raised, run_errors(0, Retries()):
        raise KeyError("a mistake in the code")
    assert raised.value.allow_retries is False
    assert raised.value.description == "KeyError: 'a mistake in the code'"
    assert isinstance(raised.value.__cause__, KeyError)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        duckdb.IOException("IO Error: Could not write file: No space left on device"),
        DeltaError("Generic LocalFileSystem error: No space left on device (os error 28)"),
        sqlite3.OperationalError("database or disk is full"),
    ],
)
def test_a_full_disk_is_worth_another_try(error: Exception) -> None:
    with pytest.raises(dg.RetryRequested), run_errors(0, Retries()):
        raise error
    with pytest.raises(dg.RetryRequested), run_errors(0, Retries()):
        raise RuntimeError("it failed") from error


def test_a_statement_that_was_cancelled_in_the_database_is_not_tried_again() -> None:
    said = "OSError: [libpq] ERROR: canceling statement due to user request"
    with pytest.raises(DagsterExecutionInterruptedError), run_errors(0, Retries()):
        raise SourceUnavailable(said)
    assert not AfterCrash(max_retries=3)
    with run_errors(0, Retries()):
        assert AfterCrash(max_retries=3)


def test_an_error_of_another_kind_is_retried_where_that_is_declared() -> None:
    with pytest.raises(dg.RetryRequested), run_errors(0, Retries(unknown=True)):
        raise KeyError("a mistake in the code")
    with pytest.raises(dg.Failure), run_errors(0, Retries(unknown=True)):
        raise dg.Failure("refused", allow_retries=False)
    with pytest.raises(dg.Failure), run_errors(0, Retries(unknown=True)):
        raise PermanentError("refused")


def test_waits_are_shortened_at_random_by_their_jitter_at_most() -> None:
    retries = Retries(delay_s=10, jitter=0.5)
    waits = {retries.wait_s(1) for _ in range(50)}
    assert len(waits) > 1
    assert all(10 <= wait <= 20 for wait in waits)


def run(**fields: object) -> dg.DagsterRun:
    return dg.DagsterRun(job_name="job", **fields)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("tag", ["is_resume_retry", "is_asset_resume_retry"])
def test_a_run_resumed_from_its_failure_continues_the_batch_and_any_other_begins_one(
    tag: str,
) -> None:
    first = run(run_id="11111111-1111-1111-1111-111111111111")
    again = run(
        root_run_id=first.run_id,
        parent_run_id=first.run_id,
        tags={f"dagster/{tag}": "true"},
    )
    anew = run(root_run_id=first.run_id, parent_run_id=first.run_id)
    assert batch_of(again, None) == batch_of(first, None)
    assert batch_of(anew, None) != batch_of(first, None)
    assert batch_of(first, "2024-01-01") != batch_of(first, "2024-01-02")
