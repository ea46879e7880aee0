"""Complete answers on disk, so that a run after a crash does not ask for them again.

A spool is one file of entries, each an answer under the digest of its request, compressed and with
a checksum. A process that is killed leaves whole entries and at most one broken one at the end,
which the next opening cuts off. What is asked for decides what is found: another ``since``, another
parent or a changed declaration are other requests.

The file goes when the rows are published (:meth:`Spool.remove`), and when it is older than
``max_age_s``: pages of long ago do not go together with those of now.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import struct
import tempfile
import time
import zlib
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from etl_platform.core.settings import get_settings
from etl_platform.sources.api.messages import ApiRequest, ApiResponse

_ENTRY = struct.Struct("<4s16sIIQI")
"""Mark, digest of the request, bytes of head, packed and unpacked body, checksum of both."""
_MARK = b"ANS1"
_LEVEL = 1
MAX_AGE_S = 6 * 3600.0


class Spool:
    """Answers by their requests. May be used by several threads of one process."""

    def __init__(self, file: BinaryIO, path: Path | None = None) -> None:
        self._file = file
        self._path = path
        self._lock = Lock()
        self._at: dict[bytes, int] = {}
        self._end = self._scan()

    @classmethod
    def open(
        cls, folder: Path, name: str, *, state: str = "", max_age_s: float = MAX_AGE_S
    ) -> Spool:
        """The spool of this name; a new one where there is none, or only one that is too old.

        Another process that has it open keeps it: this one then gets a temporary one.

        Args:
            state: what the answers go on from. One of the same name that went on from another
                is of no use any more (its process was killed after it had published) and removed.
        """
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{_short(name)}-{_short(state)}.answers"
        for other in folder.glob(f"{_short(name)}-*.answers"):
            if other != path:
                other.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        file = os.fdopen(descriptor, "r+b", buffering=0)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not path.exists() or os.fstat(descriptor).st_ino != path.stat().st_ino:
                raise BlockingIOError  # removed between opening and locking
        except BlockingIOError:
            file.close()
            return cls.temporary()
        if time.time() - _begun(file) > max_age_s:
            file.truncate(0)
        return cls(file, path)

    @classmethod
    def temporary(cls) -> Spool:
        """One that is gone when it is closed."""
        folder = Path(get_settings().temp_dir)
        folder.mkdir(parents=True, exist_ok=True)
        return cls(tempfile.TemporaryFile(dir=folder, buffering=0))

    def get(self, request: ApiRequest) -> ApiResponse | None:
        """The answer to this request, None where it has not been given."""
        at = self._at.get(digest(request))
        if at is None:
            return None
        found = self._entry(at)
        if found is None:
            return None
        head, body = found
        told = json.loads(head)
        return ApiResponse(told["url"], told["status"], told["headers"], body)

    def put(self, request: ApiRequest, response: ApiResponse) -> None:
        """Keep an answer that was read and found sound."""
        import pyarrow as pa

        told = {"url": response.url, "status": response.status, "headers": _kept(response)}
        head = json.dumps(told).encode()
        packed = pa.Codec("zstd", _LEVEL).compress(response.body, asbytes=True)
        key = digest(request)
        entry = _ENTRY.pack(
            _MARK, key, len(head), len(packed), len(response.body), zlib.crc32(head + packed)
        )
        with self._lock:
            if not self._end:
                self._write(_ENTRY.pack(_MARK, bytes(16), 0, 0, int(time.time()), 0))
            self._at[key] = self._end
            self._write(entry + head + packed)

    def clear(self) -> None:
        """Forget all answers: they do not go together."""
        with self._lock:
            self._file.truncate(0)
            self._at.clear()
            self._end = 0

    def remove(self) -> None:
        """Their rows are published: nobody needs the answers any more."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Let go of the file; what is in it stays for the next run."""
        with suppress(ValueError):
            self._file.close()

    def __len__(self) -> int:
        return len(self._at)

    def _write(self, entry: bytes) -> None:
        left = memoryview(entry)
        at = self._end
        while left:
            done = os.pwrite(self._file.fileno(), left, at)
            left, at = left[done:], at + done
        self._end = at

    def _scan(self) -> int:
        """Find the entries, up to the first that is not whole."""
        size = os.fstat(self._file.fileno()).st_size
        at = 0
        while at < size:
            parts = self._parts(at)
            if parts is None:
                self._file.truncate(at)
                break
            key, head, packed, _ = parts
            if at:
                self._at[key] = at
            at += _ENTRY.size + len(head) + len(packed)
        return at

    def _parts(self, at: int) -> tuple[bytes, bytes, bytes, int] | None:
        start = os.pread(self._file.fileno(), _ENTRY.size, at)
        if len(start) < _ENTRY.size:
            return None
        mark, key, head_size, packed_size, size, checksum = _ENTRY.unpack(start)
        if mark != _MARK:
            return None
        rest = os.pread(self._file.fileno(), head_size + packed_size, at + _ENTRY.size)
        if len(rest) < head_size + packed_size or zlib.crc32(rest) != checksum:
            return None
        return key, rest[:head_size], rest[head_size:], size

    def _entry(self, at: int) -> tuple[bytes, bytes] | None:
        import pyarrow as pa

        parts = self._parts(at)
        if parts is None:
            return None
        _, head, packed, size = parts
        return head, pa.Codec("zstd").decompress(packed, size, asbytes=True)


def digest(request: ApiRequest) -> bytes:
    """What tells one request from another: all of it, as it is before credentials are added."""
    told = [request.method, request.url, request.params, sorted(request.headers.items())]
    found = hashlib.blake2b(json.dumps(told).encode(), digest_size=16)
    found.update(request.body or b"")
    return found.digest()


def _short(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _begun(file: BinaryIO) -> float:
    start = os.pread(file.fileno(), _ENTRY.size, 0)
    if len(start) < _ENTRY.size:
        return time.time()
    mark, _, _, _, seconds, _ = _ENTRY.unpack(start)
    return float(seconds) if mark == _MARK else 0.0


def _kept(response: ApiResponse) -> dict[str, str]:
    # Cookies are credentials.
    return {name: value for name, value in response.headers.items() if name != "set-cookie"}
