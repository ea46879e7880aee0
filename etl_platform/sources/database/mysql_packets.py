"""Rows of MariaDB and MySQL as they come over the wire, in blocks of whole rows.

Every row is a packet with its length in front, so that where a row begins depends on all rows
before it: a walk in Python would cost more than all else. Therefore the statement selects a mark as
its first column, bytes that are no UTF-8 and partly random, and NumPy finds all marks of a block at
once. The lengths and the running numbers in front of the rows then have to agree with what was
found, or the read fails: the mark is a guess, the lengths are the proof.

Protocol: https://mariadb.com/kb/en/result-set-packets/ (text protocol).
"""

from __future__ import annotations

import secrets
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etl_platform.selection import EngineFault

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Places = NDArray[np.int64]

ENGINE = "mysql"
HEADER = 4
_FIRST_BLOCK_BYTES = 64 * 1024
_BLOCK_BYTES = 2 * 1024 * 1024
_GROWTH = 4
_LONGEST_PACKET = 0xFFFFFF
_END, _ERROR = 0xFE, 0xFF
_LONGEST_END = 9
_SERVER_LOST = 2013


@dataclass(frozen=True, slots=True)
class RowBlock:
    """Whole rows: ``content[starts[n]:ends[n]]`` is row n, and whoever takes it may write to it.

    A row begins with a header of 4 bytes and the mark; its columns begin ``prefix`` bytes after its
    start, each with its length in front.
    """

    content: Bytes
    starts: Places
    ends: Places
    prefix: int


class RowPackets:
    """The rows of one statement on a connection of PyMySQL; nothing else may use it meanwhile."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver
        letters = bytes(ord("a") + byte % 26 for byte in secrets.token_bytes(6))
        self._mark = b"\xff\xfe" + letters
        self._result: Any = None
        self._number: int | None = None
        self.complete = False

    @property
    def mark(self) -> str:
        """What the statement has to select first, as SQL."""
        return f"X'{self._mark.hex()}'"

    def send(self, statement: str) -> None:
        """Have the server begin; raises what PyMySQL raises."""
        self._driver.query(statement, unbuffered=True)
        self._result = self._driver._result  # noqa: SLF001  # the driver has no other way in

    def blocks(self, most: int) -> Iterator[RowBlock]:
        """Every row once, at most ``most`` in a block; raises what PyMySQL raises.

        Raises:
            EngineFault: a row of 16 MB or more, or bytes that do not agree with each other.
        """
        size, kept = _FIRST_BLOCK_BYTES, self._buffered()
        while not self.complete:
            content = bytearray(max(size, 2 * len(kept)))
            content[: len(kept)] = kept
            filled = self._fill(content, len(kept))
            rows = self._rows(content, filled)
            used = int(rows.ends[-1]) if len(rows.ends) else 0
            kept = bytes(content[used:filled])
            self._end(kept)
            for first in range(0, len(rows.starts), most):
                yield _part(rows, first, first + most)
            size = min(size * _GROWTH, _BLOCK_BYTES)

    def abandon(self) -> None:
        """Forget the rows that are still on their way: the connection cannot be used again."""
        if self._result is not None:
            self._result.unbuffered_active = False
            self._result.connection = None

    def _buffered(self) -> bytes:
        """What the driver has already received behind the columns' names."""
        with _losses():
            buffered = self._driver._rfile  # noqa: SLF001
            return buffered.read1(len(buffered.peek(1)))

    def _fill(self, content: bytearray, filled: int) -> int:
        """Receive until there is no room, or until the packet that ends the rows has come."""
        with memoryview(content) as room:
            while filled < len(content) and not self._ends(content, filled):
                with _losses():
                    taken = self._driver._rfile.raw.readinto(room[filled:])  # noqa: SLF001
                    if not taken:
                        raise OSError("the server closed the connection")
                filled += taken
        return filled

    def _ends(self, content: bytearray, filled: int) -> bool:
        """Whether the packet that ends the rows, well or not, is there: behind the last mark."""
        last = content.rfind(self._mark, 0, filled) - HEADER - 1
        after = last + HEADER + _length(content, last) if last >= 0 else 0
        if not self._is_end(content[after : min(filled, after + HEADER + 1)]):
            return False
        return after + HEADER + _length(content, after) <= filled

    def _is_end(self, packet: bytes | bytearray) -> bool:
        return len(packet) > HEADER and packet[HEADER] != len(self._mark)

    def _rows(self, content: bytearray, filled: int) -> RowBlock:
        import numpy as np

        data = np.frombuffer(content, np.uint8, filled)
        found = np.flatnonzero(data[: max(0, filled - len(self._mark) + 1)] == self._mark[0])
        for offset, byte in enumerate(self._mark[1:], start=1):
            found = found[data[found + offset] == byte]
        starts = found - (HEADER + 1)
        low, middle, high = (data[starts + n].astype(np.int64) for n in range(3))
        ends = starts + HEADER + low + (middle << 8) + (high << 16)
        if len(ends) and ends[-1] > filled:
            starts, ends = starts[:-1], ends[:-1]
        self._check(data, starts, ends)
        return RowBlock(data, starts, ends, HEADER + 1 + len(self._mark))

    def _check(self, data: Bytes, starts: Places, ends: Places) -> None:
        """Each row begins where the one before it ends, and none is missing."""
        import numpy as np

        if not len(starts):
            return
        numbers = data[starts + 3]
        first = int(numbers[0])
        if (
            starts[0] != 0
            or (starts[1:] != ends[:-1]).any()
            or (data[starts + HEADER] != len(self._mark)).any()
            or (np.diff(numbers) != 1).any()  # of 8 bits, as the numbers are: 0 follows 255
            or (self._number is not None and first != (self._number + 1) % 256)
        ):
            raise EngineFault(ENGINE, "the lengths of the rows do not agree with their places")
        self._number = int(numbers[-1])

    def _end(self, rest: bytes) -> None:
        """Judge what follows the last whole row: part of a row, the end or an error."""
        from pymysql import err

        length = _length(rest, 0)
        if not self._is_end(rest):
            if length == _LONGEST_PACKET:
                raise EngineFault(ENGINE, "a row has 16 MB or more")
            return
        payload = rest[HEADER : HEADER + length]
        if len(payload) < length:
            return
        if payload[0] == _ERROR:
            self.abandon()
            err.raise_mysql_exception(payload)
        if payload[0] != _END or length >= _LONGEST_END or len(rest) > HEADER + length:
            raise EngineFault(ENGINE, "what follows the last row is no end of rows")
        self.abandon()
        self.complete = True


def _part(rows: RowBlock, first: int, end: int) -> RowBlock:
    starts, ends = rows.starts[first:end], rows.ends[first:end]
    begin = starts[0]
    return RowBlock(rows.content[begin : ends[-1]], starts - begin, ends - begin, rows.prefix)


def _length(packet: bytes | bytearray, at: int) -> int:
    return int.from_bytes(packet[at : at + 3], "little")


@contextmanager
def _losses() -> Generator[None]:
    """A socket's errors as PyMySQL's; it leaves no file where the connection was closed."""
    from pymysql import err

    try:
        yield
    except (OSError, ValueError, AttributeError) as error:
        raise err.OperationalError(_SERVER_LOST, f"Lost connection to MySQL: {error}") from None
