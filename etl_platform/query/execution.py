"""Runs a plan in a process of its own, within limits, until it ends, fails or is stopped."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Event
from uuid import uuid4

from etl_platform.core.errors import (
    EtlError,
    LimitExceeded,
    PermanentError,
    QueryCancelled,
    TransientError,
    UnknownName,
)
from etl_platform.core.settings import Settings
from etl_platform.planner.plan import Plan
from etl_platform.planner.policy import Limits
from etl_platform.query import isolation
from etl_platform.query.masks import KEY_VARIABLE
from etl_platform.query.messages import Request, Told
from etl_platform.query.parameters import Params
from etl_platform.query.roles import mask_key

_LOOK_EVERY_S = 0.05
_FREE_SHARE = 0.5
"""Of the free space of the disk, what one result may take, and what one query may spill."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What running a plan took: rows written, seconds, and the process's peak memory.

    ``profile`` is what DuckDB measured, as its JSON; None unless that was asked for.
    """

    rows: int
    seconds: float
    peak_bytes: int
    profile: str | None = None


def tightest(*limits: Limits | None) -> Limits:
    """The smallest of each limit."""
    given = [one for one in limits if one is not None]

    def least(name: str) -> float | None:
        return min((v for one in given if (v := getattr(one, name)) is not None), default=None)

    return Limits(**{field.name: least(field.name) for field in fields(Limits)})  # pyright: ignore[reportArgumentType] - integers stay integers in min()


def check_scanned(plan: Plan, limits: Limits) -> None:
    """Refuse a plan that would read more than it may, before anything is read.

    Raises:
        LimitExceeded: with the size of each table's files.
    """
    if limits.scanned_bytes is not None and plan.size_bytes > limits.scanned_bytes:
        read = ", ".join(f"{t.table.sql} {t.size_bytes:,}" for t in plan.inputs)
        raise LimitExceeded(
            f"the query would read {plan.size_bytes:,} bytes ({read})",
            valid=f"at most {limits.scanned_bytes:,} bytes",
            fix="filter by a partition column, or name fewer tables",
        )


def execute(
    plan: Plan,
    result: Path,
    settings: Settings,
    *,
    params: Params = None,
    limits: Limits | None = None,
    cancel: Event | None = None,
    progress: Callable[[float], None] | None = None,
    analyze: bool = False,
) -> Finished:
    """Write a plan's rows into an Arrow IPC file.

    Whatever ends the call ends the process: when this returns or raises, its memory and its spill
    files are gone.

    Args:
        plan: what to run; its files are the only ones that the process may open.
        result: the file to write, existing, empty and private.
        settings: memory and threads of the query.
        params: values for ``$name`` (a mapping) or ``?`` (a sequence).
        limits: the most that it may take; memory at most the settings' limit.
        cancel: stops the query when set, within a tenth of a second.
        progress: called with a share from 0 to 1, in this thread, several times a second.
        analyze: whether DuckDB measures each of its operators.

    Raises:
        LimitExceeded: a limit was passed.
        QueryCancelled: ``cancel`` was set.
        PermanentError: DuckDB refuses the statement or fails, with its reason.
        TransientError: a file vanished, or no process could be started.
    """
    limits = tightest(limits, Limits(memory_bytes=settings.memory_limit))
    check_scanned(plan, limits)
    spill = Path(settings.temp_dir) / f"query-{uuid4().hex}"
    masked = any(KEY_VARIABLE in (table.view_sql or "") for table in plan.inputs)
    spill.parent.mkdir(parents=True, exist_ok=True)
    free_bytes = shutil.disk_usage(spill.parent).free
    request = Request(
        sql=plan.sql,
        params=params,
        inputs=plan.inputs,
        result=str(result),
        max_rows=limits.rows,
        max_result_bytes=int(shutil.disk_usage(result.parent).free * _FREE_SHARE),
        max_spill_bytes=min(limits.spill_bytes or free_bytes, int(free_bytes * _FREE_SHARE)),
        settings=settings.model_copy(
            update={
                "memory_limit": limits.memory_bytes,
                "temp_dir": str(spill),
                "metastore_url": "",
            }
        ),
        mask_key=mask_key(settings.mask_key) if masked else None,
        analyze=analyze,
    )
    began = time.perf_counter()
    try:
        spill.mkdir(mode=0o700)
        with isolation.connect(spill) as connection:
            told = _conversation(connection, request, limits, cancel, progress)
    finally:
        shutil.rmtree(spill, ignore_errors=True)
    if told.rows is None:
        raise _error(told, limits, request.max_spill_bytes)
    return Finished(told.rows, time.perf_counter() - began, told.peak_bytes, told.profile)


def _conversation(
    connection: Connection,
    request: Request,
    limits: Limits,
    cancel: Event | None,
    progress: Callable[[float], None] | None,
) -> Told:
    deadline = None if limits.seconds is None else time.monotonic() + limits.seconds
    pid: int | None = None
    try:
        connection.send(request)
        while True:
            if cancel is not None and cancel.is_set():
                raise QueryCancelled("the query was cancelled")
            if deadline is not None and time.monotonic() > deadline:
                raise LimitExceeded(
                    f"the query ran for more than {limits.seconds:g} seconds",
                    fix="read less, or ask for less: etl explain shows what it reads",
                )
            if not connection.poll(_LOOK_EVERY_S):
                continue
            told = Told.decode(connection.recv_bytes())
            if told.pid is not None:
                pid = told.pid
            elif told.progress is not None:
                if progress is not None:
                    progress(told.progress)
            else:
                pid = None  # it has nothing more to do than to end
                return told
    except (EOFError, ConnectionError):
        pid = None
        return Told(failed="memory", what="the operating system ended its process")
    finally:
        _end(connection, pid)


def _end(connection: Connection, pid: int | None) -> None:
    """Kill the process, and wait until the kernel has taken its memory back.

    Its end of the connection is closed after its memory is released, so what is waited for is the
    end of the stream.
    """
    if pid is None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            connection.recv_bytes()


def _error(told: Told, limits: Limits, spill_bytes: int) -> EtlError:
    if told.failed == "memory":
        return LimitExceeded(
            f"the query needs more memory than the {limits.memory_bytes:,} bytes that it may use"
            + (f": {told.what}" if told.what else ""),
            fix="filter or aggregate earlier, or raise ETL_MEMORY_LIMIT",
        )
    if told.failed == "spill":
        return LimitExceeded(
            f"the query would write more to disk than the {spill_bytes:,} bytes that it may use",
            fix="filter or aggregate earlier, or raise ETL_MEMORY_LIMIT",
        )
    if told.failed == "rows":
        return LimitExceeded(
            f"the result has more than {limits.rows:,} rows",
            fix="aggregate, filter, or add LIMIT",
        )
    if told.failed == "result":
        return LimitExceeded(
            "the result would fill the disk", fix="aggregate, filter, or add LIMIT"
        )
    if told.failed == "type":
        return PermanentError(
            f"column {told.what!r} is an {told.of}, which a Polars frame cannot hold",
            fix="cast it to VARCHAR, or take its seconds with epoch(...)",
        )
    if told.failed == "file":
        return TransientError(f"a file could not be read: {told.what}", fix="run the query again")
    if told.failed == "name":
        return UnknownName(told.of, told.name, told.known, where=told.what)
    return PermanentError(told.what, valid=told.valid)
