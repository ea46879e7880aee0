"""A folder as an object store."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import uuid
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from etl_platform.core.errors import ConfigError
from etl_platform.core.objects.store import ObjectChanged, ObjectInfo, ObjectMissing

_DRAFT = re.compile(r"\.[0-9a-f]{32}\.part")


class LocalStore:
    """Files below a folder, which need not exist yet; symbolic links are followed.

    An ETag is made of inode, size and time of the last change. A file appears under its name when
    it is whole; files that are being written have hidden names and are no objects.
    """

    def __init__(self, root: str | Path) -> None:
        self._root = Path(root).expanduser().absolute()

    @property
    def uri(self) -> str:
        return str(self._root)

    def path(self, key: str) -> Path:
        """Where an object is.

        Raises:
            ConfigError: the key leads out of the folder.
        """
        if any(part in {"", ".", ".."} for part in key.split("/")):
            raise ConfigError(f"{key!r} is no key", valid="names with / between them")
        return self._root / key

    def list(self, prefix: str = "", start_after: str = "") -> Iterator[ObjectInfo]:
        above = prefix.rpartition("/")[0]
        yield from self._walk(above + "/" if above else "", prefix, start_after)

    def _walk(self, folder: str, prefix: str, start_after: str) -> Iterator[ObjectInfo]:
        """The objects of one folder. A folder sorts as its keys do, which go on with a slash."""
        try:
            with os.scandir(self._root / folder) as found:
                names = [
                    (folder + entry.name + ("/" if entry.is_dir() else ""), entry)
                    for entry in found
                ]
        except (FileNotFoundError, NotADirectoryError):
            return
        for key, entry in sorted(names, key=lambda one: os.fsencode(one[0])):
            if not key.startswith(prefix) and not (key.endswith("/") and prefix.startswith(key)):
                continue
            if key.endswith("/"):
                if not _passed(key, start_after):
                    yield from self._walk(key, prefix, start_after)
            elif os.fsencode(key) > os.fsencode(start_after) and not _DRAFT.fullmatch(entry.name):
                try:
                    yield _info(key, entry.stat())
                except FileNotFoundError:
                    continue  # It went meanwhile, or is a link to nothing.

    def folders(self, prefix: str = "") -> list[str]:
        above, _, start = prefix.rpartition("/")
        try:
            with os.scandir(self._root / above) as found:
                names = [e.name for e in found if e.is_dir() and e.name.startswith(start)]
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(f"{above}/{name}" if above else name for name in names)

    def head(self, key: str) -> ObjectInfo | None:
        path = self.path(key)
        try:
            return _info(key, path.stat()) if path.is_file() else None
        except FileNotFoundError:
            return None

    def read(
        self, key: str, start: int = 0, length: int | None = None, *, if_match: str | None = None
    ) -> bytes:
        try:
            with self.path(key).open("rb") as file:
                _check(key, _info(key, os.fstat(file.fileno())), if_match)
                file.seek(start)
                return file.read(-1 if length is None else length)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise self._missing(key) from None

    def download(self, key: str, path: Path, *, if_match: str | None = None) -> ObjectInfo:
        try:
            with self.path(key).open("rb") as file:
                info = _info(key, os.fstat(file.fileno()))
                _check(key, info, if_match)
                with _draft(path) as draft, draft.open("wb") as target:
                    shutil.copyfileobj(file, target, 1 << 20)
                return info
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise self._missing(key) from None

    def put(
        self,
        key: str,
        data: bytes,
        *,
        if_none_match: bool = False,
        if_match: str | None = None,
    ) -> str:
        path = self.path(key)
        if if_match is None:
            return _write(path, data, only_new=if_none_match)
        with _locked(path.parent):
            now = self.head(key)
            if now is None or now.etag != if_match:
                raise ObjectChanged(f"{path} is another file by now")
            return _write(path, data)

    def upload(self, key: str, path: Path, *, if_none_match: bool = False) -> str:
        with _draft(self.path(key), only_new=if_none_match) as draft:
            shutil.copyfile(path, draft)
            return _etag(draft.stat())

    def copy(self, source: str, target: str) -> None:
        try:
            self.upload(target, self.path(source))
        except FileNotFoundError:
            raise self._missing(source) from None

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self.path(key).unlink(missing_ok=True)

    def _missing(self, key: str) -> ObjectMissing:
        return ObjectMissing(f"{self._root / key} does not exist, or is no file")


def _write(path: Path, data: bytes, *, only_new: bool = False) -> str:
    with _draft(path, only_new=only_new) as draft:
        draft.write_bytes(data)
        return _etag(draft.stat())


@contextmanager
def _draft(path: Path, *, only_new: bool = False) -> Generator[Path]:
    """A file beside ``path`` that takes its name when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        yield draft
        if only_new:
            os.link(draft, path)
        else:
            draft.replace(path)
    except FileExistsError:
        raise ObjectChanged(f"{path} exists already") from None
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def _locked(folder: Path) -> Generator[None]:
    """Alone among all that change a file of the folder on a condition."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _passed(folder: str, start_after: str) -> bool:
    """Whether every key below a folder comes before ``start_after``."""
    after = os.fsencode(start_after)[: len(os.fsencode(folder))]
    return os.fsencode(folder) < after


def _check(key: str, info: ObjectInfo, if_match: str | None) -> None:
    if if_match is not None and info.etag != if_match:
        raise ObjectChanged(f"{key} is another file by now")


def _info(key: str, found: os.stat_result) -> ObjectInfo:
    moment = datetime.fromtimestamp(found.st_mtime, UTC)
    return ObjectInfo(key, found.st_size, _etag(found), moment)


def _etag(found: os.stat_result) -> str:
    return f"{found.st_ino:x}-{found.st_size:x}-{found.st_mtime_ns:x}"
