"""Files of a bucket on this machine: immutable, shared by all processes, bounded in bytes.

A file's name is its identity, and its size in the table's log is checked. A file appears when it is
whole, so two processes that fetch the same one disturb nobody. The least recently used go first,
but none that was used in the last hour: whoever asked for it may not have opened it yet.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from etl_platform.core.errors import PermanentError
from etl_platform.core.objects import ObjectStore

STAGED = ".staged"
"""Ends the name of a file beside the folder of a stage that no commit names yet."""
_LOCK = ".tidying"
_IN_USE_S = 3600.0
_ABANDONED_S = 24 * 3600.0
"""How old a stage may be that nobody commits: a crash left it. The longest run must be shorter."""
_FILES_AT_ONCE = 8


class FileCache:
    """Copies of objects, below a folder under their own keys.

    Args:
        store: where they come from.
        folder: where they are kept.
        limit_bytes: how much may stay, besides what was used lately.
        in_use_s: how long a file counts as used.
    """

    def __init__(
        self, store: ObjectStore, folder: Path, limit_bytes: int, in_use_s: float = _IN_USE_S
    ) -> None:
        self.folder = folder
        self._store = store
        self._limit_bytes = limit_bytes
        self._in_use_s = in_use_s

    def fetch(self, sizes: Mapping[str, int | None]) -> None:
        """Have objects here, several fetched at once.

        Args:
            sizes: by key the bytes that the object must have; None takes it as it is.

        Raises:
            ObjectMissing: one does not exist.
            PermanentError: one has another size.
            StoreUnavailable: the store does not answer.
        """
        missing = [key for key, size in sizes.items() if not self._has(key, size)]
        if not missing:
            return
        with ThreadPoolExecutor(min(_FILES_AT_ONCE, len(missing))) as pool:
            for done in [pool.submit(self._fetch, key, sizes[key]) for key in missing]:
                done.result()
        self.tidy()

    def tidy(self) -> None:
        """Remove the least recently used files beyond the limit, and stages that a crash left."""
        with _alone(self.folder / _LOCK) as alone:
            if not alone:
                return  # Another process does it.
            now = time.time()
            found: list[tuple[float, int, Path]] = []
            total = 0
            for folder, folders, names in os.walk(self.folder):
                for name in names:
                    path = Path(folder, name)
                    if name == _LOCK:
                        continue
                    if path.suffix == STAGED:
                        self._drop_abandoned(path, now)
                        with contextlib.suppress(ValueError):  # the folder is made after its mark
                            folders.remove(path.stem)
                        continue
                    try:
                        stat = path.stat()
                    except FileNotFoundError:
                        continue
                    total += stat.st_size
                    if now - stat.st_mtime > self._in_use_s:
                        found.append((stat.st_mtime, stat.st_size, path))
            for _, size, path in sorted(found):
                if total <= self._limit_bytes:
                    break
                path.unlink(missing_ok=True)
                total -= size

    def _has(self, key: str, size: int | None) -> bool:
        path = self.folder / key
        try:
            if size is not None and path.stat().st_size != size:
                return False
            os.utime(path)
        except FileNotFoundError:
            return False
        return True

    def _fetch(self, key: str, size: int | None) -> None:
        path = self.folder / key
        self._store.download(key, path)
        if size is not None and path.stat().st_size != size:
            path.unlink(missing_ok=True)
            raise PermanentError(
                f"{self._store.uri}/{key} has not the {size:,} bytes that the table's log says",
                fix="something else wrote it; revert the table to an earlier version",
            )

    @staticmethod
    def _drop_abandoned(mark: Path, now: float) -> None:
        try:
            age = now - mark.stat().st_mtime
        except FileNotFoundError:
            return
        if age > _ABANDONED_S:
            shutil.rmtree(mark.with_suffix(""), ignore_errors=True)
            mark.unlink(missing_ok=True)


@contextlib.contextmanager
def _alone(path: Path) -> Generator[bool]:
    """Whether no other process is inside."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(handle)
