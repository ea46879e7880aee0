"""Where a lake is: a folder, or a bucket whose data files pass through a folder of this machine.

Data files never change once they are written. Of a lake in a bucket each has one place on this
machine, known from its name alone: it is staged there, audited there and uploaded from there just
before the commit; readers find it there, or have it fetched. What opens files is therefore the same
for both kinds of lake, and needs no network.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from hashlib import sha256
from pathlib import Path

from etl_platform.core.errors import EtlError, PermanentError, TransientError
from etl_platform.core.names import TableName
from etl_platform.core.objects import (
    ObjectMissing,
    ObjectStore,
    S3Connection,
    StoreUnavailable,
    open_store,
)
from etl_platform.core.settings import Settings
from etl_platform.core.staged import DataFile
from etl_platform.lakehouse.cache import STAGED, FileCache

_FILES_AT_ONCE = 8
_REFUSALS = ("401 Unauthorized", "403 Forbidden", "AccessDenied", "lacked the necessary privileges")


class Root:
    """The root of a lake.

    Args:
        uri: a folder, or ``s3://bucket/prefix``.
        settings: how a bucket is reached, and where its files are kept on this machine.
    """

    def __init__(self, uri: str, settings: Settings) -> None:
        self.uri = uri.rstrip("/")
        self._settings = settings
        self._uploaded: set[str] = set()

    @property
    def is_folder(self) -> bool:
        """Whether the lake's files can be opened where they are."""
        return "://" not in self.uri

    @cached_property
    def store(self) -> ObjectStore:
        """Everything below the root, by keys that begin with the table's path."""
        return open_store(self.uri, self._connection)

    def delta_options(self) -> dict[str, str] | None:
        """What ``deltalake`` and Polars need to open a table, as of now: keys may be rotated."""
        return None if self.is_folder else self._connection.delta_options()

    def log(self, table: TableName) -> str:
        """The URI of a table, as readers of Delta know it."""
        return f"{self.uri}/{table.path}"

    def folder(self, table: TableName) -> str:
        """Where this machine has a table's data files, those that are staged as well."""
        return self.log(table) if self.is_folder else f"{self._cache.folder}/{table.path}"

    def begin(self, table: TableName, stage: str) -> str:
        """Make the folder for a new stage and return it."""
        target = Path(self.folder(table), stage)
        target.parent.mkdir(parents=True, exist_ok=True)
        if not self.is_folder:
            target.with_suffix(STAGED).touch()
        target.mkdir()
        return str(target)

    def upload(self, table: TableName, files: Iterable[DataFile]) -> None:
        """Have files in the lake before a commit names them; each is uploaded once.

        Raises:
            TransientError: the store does not answer.
        """
        if self.is_folder:
            return
        keys = {f"{table.path}/{file.path}": Path(file.uri) for file in files}
        waiting = [(key, path) for key, path in keys.items() if key not in self._uploaded]
        with ThreadPoolExecutor(_FILES_AT_ONCE) as pool:
            for done in [pool.submit(self.store.upload, key, path) for key, path in waiting]:
                done.result()
        self._uploaded.update(key for key, _ in waiting)

    def settle(self, table: TableName, files: Iterable[DataFile]) -> None:
        """Note that files were committed: what is here of them may go when room is needed."""
        if self.is_folder:
            return
        for file in files:
            self._uploaded.discard(f"{table.path}/{file.path}")
            stage = Path(self.folder(table), file.path.partition("/")[0])
            stage.with_suffix(STAGED).unlink(missing_ok=True)
        self._cache.tidy()

    def discard(self, table: TableName, stages: Iterable[str]) -> None:
        """Remove stages, by their folders' names, that will not be published."""
        for stage in stages:
            folder = Path(self.folder(table), stage)
            shutil.rmtree(folder, ignore_errors=True)
            if self.is_folder:
                continue
            folder.with_suffix(STAGED).unlink(missing_ok=True)
            prefix = f"{table.path}/{stage}/"
            uploaded = [key for key in self._uploaded if key.startswith(prefix)]
            if uploaded:
                self._uploaded.difference_update(uploaded)
                # What stays is removed by vacuum, as after a crash.
                with contextlib.suppress(EtlError):
                    self.store.delete(uploaded)

    def fetch(self, table: TableName, files: Iterable[DataFile]) -> None:
        """Have data files on this machine; they stay for at least an hour after their last use.

        Raises:
            TransientError: one is gone (vacuumed), or the store does not answer.
        """
        if self.is_folder:
            return
        try:
            self._cache.fetch({f"{table.path}/{file.path}": file.size_bytes for file in files})
        except ObjectMissing as error:
            raise TransientError(
                f"{table}: a file of this version is gone: {error.what}", fix="read a newer version"
            ) from error

    @contextlib.contextmanager
    def answering(self, table: TableName) -> Generator[None]:
        """Say what delta-rs met in a bucket as the platform's own errors.

        Raises:
            StoreUnavailable: the bucket does not answer. A commit may have arrived nevertheless:
                the next publish of the same batch finds it.
            PermanentError: it refuses who asks.
        """
        try:
            yield
        except OSError as error:
            if self.is_folder:
                raise
            if any(word in str(error) for word in _REFUSALS):
                raise PermanentError(
                    f"{self.log(table)}: not allowed, or no usable credentials",
                    fix="check region, profile and keys, and what the role may do",
                ) from None
            raise StoreUnavailable(
                f"{self.log(table)}: no answer",
                fix="check the endpoint and the region, and that it can be reached from here",
            ) from None

    def fetch_uris(self, uris: Iterable[str]) -> None:
        """Have files on this machine, by the paths that :meth:`folder` gave them."""
        if self.is_folder:
            return
        below = f"{self._cache.folder}/"
        wanted = [uri.removeprefix(below) for uri in uris if uri.startswith(below)]
        try:
            self._cache.fetch(dict.fromkeys(wanted))
        except ObjectMissing as error:
            raise TransientError(
                f"a file is gone: {error.what}", fix="run the query again"
            ) from error

    @cached_property
    def _connection(self) -> S3Connection:
        given = self._settings
        return S3Connection(
            region=given.s3_region,
            endpoint_url=given.s3_endpoint_url,
            profile=given.s3_profile,
            access_key_id=given.s3_access_key_id,
            secret_access_key=given.s3_secret_access_key,
            session_token=given.s3_session_token,
        )

    @cached_property
    def _cache(self) -> FileCache:
        # Stores that share their names share nothing else.
        name = sha256(f"{self._settings.s3_endpoint_url or ''} {self.uri}".encode()).hexdigest()
        folder = Path(self._settings.temp_dir) / "lake" / name[:16]
        return FileCache(self.store, folder, self._settings.cache_limit)
