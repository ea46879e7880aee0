"""An object as a file: read in ranges, all of one version."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from etl_platform.core.objects import ObjectInfo, ObjectStore

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

RANGE_BYTES = 8 << 20


class ObjectReader(io.RawIOBase):
    """Holds one range at a time.

    Raises:
        ObjectChanged: from any read, when the object is another one by now.
    """

    def __init__(self, store: ObjectStore, info: ObjectInfo) -> None:
        self._store = store
        self._info = info
        self._at = 0
        self._start = 0
        self._range = b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._info.size_bytes}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        target = memoryview(buffer).cast("B")
        found = self._some(len(target))
        target[: len(found)] = found
        return len(found)

    def read(self, size: int = -1, /) -> bytes:
        left = max(self._info.size_bytes - self._at, 0)
        wanted = left if size < 0 else min(size, left)
        first = self._some(wanted)
        if len(first) == wanted:
            return bytes(first)
        parts = [bytes(first)]
        got = len(first)
        while got < wanted:
            more = self._some(wanted - got)
            if not more:
                break
            parts.append(bytes(more))
            got += len(more)
        return b"".join(parts)

    def readall(self) -> bytes:
        return self.read(-1)

    def _some(self, size: int) -> memoryview:
        if size == 0 or self._at >= self._info.size_bytes:
            return memoryview(b"")
        inside = self._at - self._start
        if not 0 <= inside < len(self._range):
            length = min(RANGE_BYTES, self._info.size_bytes - self._at)
            self._range = self._store.read(
                self._info.key, self._at, length, if_match=self._info.etag
            )
            self._start, inside = self._at, 0
        found = memoryview(self._range)[inside : inside + size]
        self._at += len(found)
        return found
