"""Objects by their keys: one way to list, read and write them, in a folder or in a bucket."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from etl_platform.core.errors import PermanentError, TransientError


class ObjectMissing(PermanentError):
    """There is no object of that key."""


class ObjectChanged(PermanentError):
    """A condition did not hold: the object exists already, or is another one by now."""


class StoreUnavailable(TransientError):
    """The store could not be reached, or asked to slow down again and again."""


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What a store says of an object without reading it.

    Attributes:
        key: below the store's root, with ``/`` between its parts.
        size_bytes: of the content.
        etag: changes whenever the content is written again; opaque, without quotes.
        modified: UTC; whole seconds in a bucket.
        version: in a bucket with versions, where the store says it (:meth:`ObjectStore.head`).
    """

    key: str
    size_bytes: int
    etag: str
    modified: datetime
    version: str | None = None


class ObjectStore(Protocol):
    """Objects below one root. May be used from many threads.

    Every method raises ``StoreUnavailable`` (transient) when the store does not answer, and
    ``PermanentError`` when it refuses who asks.
    """

    @property
    def uri(self) -> str:
        """The root, as ``s3://bucket/prefix`` or an absolute path; without a slash at its end."""
        ...

    def list(self, prefix: str = "", start_after: str = "") -> Iterator[ObjectInfo]:
        """Every object whose key begins with ``prefix``, in the order of the keys' bytes.

        A stream: memory does not grow with the number of objects. Objects that come or go
        meanwhile may or may not be among them.

        Args:
            start_after: only keys behind this one.
        """
        ...

    def folders(self, prefix: str = "") -> list[str]:
        """The parts of keys up to the next ``/`` behind ``prefix``, sorted, without that slash."""
        ...

    def head(self, key: str) -> ObjectInfo | None:
        """What is known of one object; None where there is none."""
        ...

    def read(
        self, key: str, start: int = 0, length: int | None = None, *, if_match: str | None = None
    ) -> bytes:
        """The content from byte ``start`` on, at most ``length`` bytes; fewer at its end.

        Raises:
            ObjectMissing: there is no such object.
            ObjectChanged: its ETag is not ``if_match``.
        """
        ...

    def download(self, key: str, path: Path, *, if_match: str | None = None) -> ObjectInfo:
        """Write the content into a local file: whole, or the file is not there.

        Large objects are read in parts side by side, all of one ETag.

        Raises: as :meth:`read`.
        """
        ...

    def put(
        self,
        key: str,
        data: bytes,
        *,
        if_none_match: bool = False,
        if_match: str | None = None,
    ) -> str:
        """Write an object: readers see the old content or the new one. Returns its ETag.

        Args:
            if_none_match: only where no object of that key exists; of many writers one wins.
            if_match: only while the object has this ETag.

        Raises:
            ObjectChanged: the condition did not hold; nothing was written.
        """
        ...

    def upload(self, key: str, path: Path, *, if_none_match: bool = False) -> str:
        """Write an object from a local file. Returns its ETag.

        Large files are written in parts side by side; no reader sees an object before its end.

        Raises: as :meth:`put`.
        """
        ...

    def copy(self, source: str, target: str) -> None:
        """Give the content another key too, without it passing through here.

        Raises:
            ObjectMissing: there is no such object.
        """
        ...

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; keys without an object are left alone."""
        ...
