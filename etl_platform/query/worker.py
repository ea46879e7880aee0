"""What runs in the process of one query: limits, a confined session, rows into a file."""

from __future__ import annotations

import contextlib
import os
import resource
import sys
import threading
from collections.abc import Generator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from etl_platform.core.errors import PermanentError, UnknownName
from etl_platform.planner.columns import check_columns
from etl_platform.planner.parsing import parse
from etl_platform.planner.refusals import message, refusal
from etl_platform.query.messages import Request, Told
from etl_platform.query.session import confined, visible_columns

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_BATCH_ROWS = 65_536
_MASK_KEY = "MASK_KEY"
_STACK_BYTES = 8 * 1024 * 1024
"""What a thread's stack reserves, and hardly uses."""
_PROGRESS_EVERY_S = 0.2
_ENGINE_SHARE = 0.8
"""Of the memory that a query may use, what DuckDB is told; the rest is for what it does not count
(hash tables of some functions, strings in flight, the batch that is written)."""
_NO_FRAME = {"month_day_nano_interval": "INTERVAL", "sparse_union": "UNION", "dense_union": "UNION"}


class _Unfit(Exception):
    """The result is not one that may be handed over."""

    def __init__(self, told: Told) -> None:
        super().__init__(told.failed)
        self.told = told


def answer(connection: Connection, opened: duckdb.DuckDBPyConnection) -> None:
    """Run the request that arrives on a connection, answer on it, and end with it.

    What it tells is the process first, the progress now and then, and at last how it went. That
    is missing when the operating system ended the process.

    Args:
        opened: the session that the query will have, without limits and tables yet.
    """
    request = connection.recv()
    assert isinstance(request, Request)
    _tell(connection, Told(pid=os.getpid()))
    _limit(request.settings.memory_limit, request.settings.threads)
    threading.Thread(target=_end_with, args=(connection,), daemon=True).start()
    if request.mask_key is not None:
        # The environment of this process holds nothing else that is secret, and it has no heirs.
        os.environ[_MASK_KEY] = request.mask_key
    engine_bytes = int(request.settings.memory_limit * _ENGINE_SHARE)
    settings = request.settings.model_copy(
        update={"memory_limit": engine_bytes, "mask_key": f"env://{_MASK_KEY}"}
    )
    with confined(
        request.inputs,
        settings,
        opened=opened,
        spill_bytes=request.max_spill_bytes,
        profiled=request.analyze,
    ) as con:
        told = _run(connection, con, request)
        # Told before the session is closed: that takes longer than ending the process does.
        _tell(connection, told)
        os._exit(0)


def _run(connection: Connection, con: duckdb.DuckDBPyConnection, request: Request) -> Told:
    """The rows into the file; what there is to tell about it."""
    import duckdb
    import pyarrow as pa

    try:
        with _reporting(connection, con):
            reader = con.sql(request.sql, params=request.params).to_arrow_reader(_BATCH_ROWS)
            rows = _write(reader, request)
    except _Unfit as unfit:
        return unfit.told
    except (MemoryError, duckdb.OutOfMemoryException, pa.ArrowMemoryError) as error:
        kind = "spill" if "max_temp_directory_size" in str(error) else "memory"
        return Told(failed=kind, what=(message(error).splitlines() or [""])[0])
    except duckdb.IOException as error:
        return Told(failed="file", what=message(error))
    except duckdb.Error as error:
        return _refused(con, request, error)
    except pa.ArrowException as error:
        kind = "memory" if "bad allocation" in str(error) else "engine"
        return Told(failed=kind, what=f"SQL: {message(error)}")
    profile = con.get_profiling_information("json") if request.analyze else None
    return Told(rows=rows, peak_bytes=_peak_bytes(), profile=profile)


def _refused(con: duckdb.DuckDBPyConnection, request: Request, error: duckdb.Error) -> Told:
    import duckdb

    if isinstance(error, duckdb.BinderException):
        try:
            check_columns(parse(request.sql), visible_columns(con, request.inputs))
        except UnknownName as unknown:
            where = unknown.what.rpartition(": unknown ")[0]
            return Told(
                failed="name", what=where, of=unknown.kind, name=unknown.name, known=unknown.known
            )
        except PermanentError as ambiguous:
            return Told(failed="engine", what=ambiguous.what, valid=ambiguous.valid)
    told = refusal(con, request.sql, error, params=request.params)
    return Told(failed="engine", what=told.what, valid=told.valid)


def _write(reader: pa.RecordBatchReader, request: Request) -> int:
    import pyarrow as pa

    for field in reader.schema:
        kind = _no_frame(field.type)
        if kind is not None:
            raise _Unfit(Told(failed="type", of=kind, what=field.name))
    rows = 0
    with (
        pa.OSFile(request.result, "wb") as sink,
        pa.ipc.new_file(sink, reader.schema) as writer,
    ):
        for batch in reader:
            rows += batch.num_rows
            if request.max_rows is not None and rows > request.max_rows:
                raise _Unfit(Told(failed="rows"))
            writer.write_batch(batch)
            if request.max_result_bytes is not None and sink.tell() > request.max_result_bytes:
                raise _Unfit(Told(failed="result"))
    return rows


def _no_frame(kind: pa.DataType) -> str | None:
    """The name of a type inside ``kind`` that a Polars frame cannot hold."""
    for prefix, name in _NO_FRAME.items():
        if str(kind).startswith(prefix):
            return name
    for position in range(kind.num_fields):
        found = _no_frame(kind.field(position).type)
        if found is not None:
            return found
    return None


@contextlib.contextmanager
def _reporting(connection: Connection, con: duckdb.DuckDBPyConnection) -> Generator[None]:
    """Tell how far the session is, from 0 to 1, while the block runs."""
    ended = threading.Event()

    def report() -> None:
        while not ended.wait(_PROGRESS_EVERY_S):
            percent = con.query_progress()
            if percent >= 0:
                _tell(connection, Told(progress=percent / 100))

    thread = threading.Thread(target=report, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _tell(connection: Connection, told: Told) -> None:
    connection.send_bytes(told.encode())


def _end_with(connection: Connection) -> None:
    """End the process when whoever asked is gone: nobody could read the answer, or stop it."""
    while True:
        try:
            connection.recv_bytes()
        except (EOFError, OSError):
            os._exit(1)


def _limit(memory_bytes: int, threads: int) -> None:
    """Let the operating system refuse memory beyond what the query may use.

    RLIMIT_DATA counts private writable memory, not mapped libraries or reserved addresses
    (setrlimit(2), since Linux 4.7). Where it does not count mappings (macOS), the peak of resident
    memory is watched instead.
    """
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    status = Path("/proc/self/status")
    if status.exists():
        held = next(line for line in status.read_text().splitlines() if line.startswith("VmData"))
        allowed = int(held.split()[1]) * 1024 + memory_bytes + (threads + 8) * _STACK_BYTES
        resource.setrlimit(resource.RLIMIT_DATA, (allowed, allowed))
    else:
        allowed = _peak_bytes() + memory_bytes
        threading.Thread(target=_watch_peak, args=(allowed,), daemon=True).start()


def _watch_peak(allowed: int) -> None:
    ended = threading.Event()
    while not ended.wait(0.05):
        if _peak_bytes() > allowed:
            os._exit(1)


def _peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
