"""A running ``COPY ... TO STDOUT``: rows as the server wrote them, taken in blocks.

The server sends one message for each row; taking them from the driver in C-level iterators costs
0.3 microseconds a row. The server writes 8 kB at a time, and being woken for each costs client and
server more than the work: once a result has turned out to be long, the socket is asked to wake this
side only when much has arrived (``SO_RCVLOWAT``, socket(7)), or after a few milliseconds.
"""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable
from functools import partial
from itertools import islice, repeat, starmap, takewhile
from operator import itemgetter
from typing import TYPE_CHECKING, Any, cast

from etl_platform.selection import EngineFault

if TYPE_CHECKING:
    from psycopg.pq.abc import PGconn
    from sqlalchemy import Connection

ENGINE = "copy"
_FIRST_CHUNK_ROWS = 16
_MAX_CHUNK_ROWS = 1_024
_MAX_CHUNK_BYTES = 1024 * 1024
_MAX_BLOCK_BYTES = 16 * 1024 * 1024
_LONG_BYTES = 4 * 1024 * 1024
_WAKE_BYTES = 256 * 1024
_WAKE_MS = 10


class CopyRows:
    """Rows of one statement. Raises the driver's errors; the connection is then of no more use.

    Args:
        connection: in its transaction.
        statement: the COPY, in the connection's encoding.
        check: called whenever this has to wait; may raise to give up.
    """

    def __init__(self, connection: Connection, statement: bytes, check: Callable[[], None]) -> None:
        driver = cast("Any", connection.connection.driver_connection)
        self._check = check
        self._pgconn: PGconn = driver.pgconn
        self._encoding: str = driver.info.encoding
        self._poll = select.poll()
        self._poll.register(self._pgconn.socket, select.POLLIN)
        self._messages = map(
            itemgetter(1), starmap(partial(self._pgconn.get_copy_data, 1), repeat(()))
        )
        self._chunk_rows = _FIRST_CHUNK_ROWS
        self._running = True
        self._rows = self._bytes = 0
        self._wakes_late = False
        self._sent: int | None = None
        # Parameters are none, but this protocol takes one statement only, whatever the query holds.
        self._pgconn.send_query_params(statement, None)
        while self._pgconn.is_busy():
            self._wait()
        self._check_still_copying()

    def block(self, most: int) -> tuple[bytes, int]:
        """The next rows, joined, and how many: at most ``most``; fewer when they are wide."""
        parts: list[bytes] = []
        rows = size = 0
        while rows < most and size < _MAX_BLOCK_BYTES and self._running:
            wanted = min(self._chunk_rows, most - rows)
            # Empty when nothing has arrived and after the last row alike.
            taken = list(takewhile(len, islice(self._messages, wanted)))
            if taken:
                parts.append(b"".join(taken))
                rows += len(taken)
                size += len(parts[-1])
                fitting = max(1, _MAX_CHUNK_BYTES * len(taken) // len(parts[-1]))
                self._chunk_rows = min(fitting, _MAX_CHUNK_ROWS)
            if len(taken) < wanted and self._check_still_copying():
                if taken:
                    self._pgconn.consume_input()  # there may be more than the driver's buffer holds
                else:
                    self._wait()
        self._rows += rows
        self._bytes += size
        if self._bytes > _LONG_BYTES and self._running and not self._wakes_late:
            self._wake_at(_WAKE_BYTES)
        if self._sent is not None and not rows and self._sent != self._rows:
            raise EngineFault(ENGINE, f"{self._rows} rows arrived of {self._sent} that were sent")
        return b"".join(parts), rows

    def _wait(self) -> None:
        self._check()
        self._poll.poll(_WAKE_MS)
        self._pgconn.consume_input()

    def _wake_at(self, size: int) -> None:
        with socket.socket(fileno=os.dup(self._pgconn.socket)) as same:
            same.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)
        self._wakes_late = size > 1

    def _check_still_copying(self) -> bool:
        from psycopg import errors, pq

        # What the driver waits for from here on is little: it would not wake for it.
        if self._wakes_late and self._pgconn.is_busy():
            self._wake_at(1)
        result = self._pgconn.get_result()
        if result is not None and result.status == pq.ExecStatus.COPY_OUT:
            return True
        self._running = False
        if self._wakes_late and self._pgconn.status == pq.ConnStatus.OK:
            self._wake_at(1)
        failed = sent = None
        while result is not None:  # until the last one: only then the connection is free again
            if result.status == pq.ExecStatus.FATAL_ERROR:
                failed = failed or result
            elif result.status == pq.ExecStatus.COMMAND_OK:
                sent = result.command_tuples
            result = self._pgconn.get_result()
        if failed is not None:
            raise errors.error_from_result(failed, encoding=self._encoding)
        if sent is None:
            # A connection that is lost ends the rows as quietly as their last one does.
            raise errors.OperationalError("the connection was lost before the last row")
        self._sent = sent
        return False
