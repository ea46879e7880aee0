"""A bucket, or what lies below a prefix of one, as an object store."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC
from pathlib import Path
from typing import Any, TypeVar

from etl_platform.core.errors import ConfigError
from etl_platform.core.objects import transfer
from etl_platform.core.objects.connection import GivenClient, S3Connection
from etl_platform.core.objects.direct import EVENT, DirectReads
from etl_platform.core.objects.failures import WHO_ASKS, code, failure
from etl_platform.core.objects.listing import list_objects, pages
from etl_platform.core.objects.store import ObjectInfo, ObjectMissing

_MANY_KEYS = 1_000
_LARGEST_COPY = 5 * 1024**3
_Given = TypeVar("_Given")


class S3Store:
    """Objects of a bucket below a prefix.

    Args:
        bucket: its name.
        prefix: without slashes at its ends; empty is the whole bucket.
        connection: default: boto3's own configuration.
    """

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        connection: S3Connection | GivenClient | None = None,
    ) -> None:
        self.bucket = bucket
        self.prefix = prefix
        self._connection = connection or S3Connection()
        self._below = f"{prefix}/" if prefix else ""
        # Any: boto3 makes a client's methods when it makes the client.
        self._client: Any = None
        self._direct: DirectReads | None = None
        self._lock = threading.Lock()

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def list(self, prefix: str = "", start_after: str = "") -> Iterator[ObjectInfo]:
        below = self._below
        after = below + start_after if start_after else ""
        for found in list_objects(self._ask, self.bucket, below + prefix, after, below):
            # Consoles make empty objects that stand for folders.
            if not found.key.endswith("/"):
                yield found

    def folders(self, prefix: str = "") -> list[str]:
        cut = len(self._below)
        given = {"Bucket": self.bucket, "Prefix": self._below + prefix, "Delimiter": "/"}
        return sorted(name[cut:-1] for page in pages(self._ask, given) for name in page.prefixes)

    def head(self, key: str) -> ObjectInfo | None:
        place = self._place(key)
        try:
            found = self._ask(lambda s3: s3.head_object(**place), key, "to look")
        except ObjectMissing:
            return None
        return _info(key, found)

    def read(
        self, key: str, start: int = 0, length: int | None = None, *, if_match: str | None = None
    ) -> bytes:
        if length == 0:
            return b""
        headers: dict[str, str] = {}
        if if_match is not None:
            headers["If-Match"] = f'"{if_match}"'
        if start or length is not None:
            end = "" if length is None else str(start + length - 1)
            headers["Range"] = f"bytes={start}-{end}"
        direct, name = self._direct, self._below + key
        if direct is not None and (found := direct.get(name, headers)) is not None:
            return found
        given = {field.replace("-", ""): value for field, value in headers.items()}

        def body(s3: Any) -> bytes:
            return s3.get_object(**self._place(key), **given)["Body"].read()

        found = self._ask(body, key, "to read", behind_end=b"")
        if self._direct is not None:
            self._direct.learn(name)
        return found

    def download(self, key: str, path: Path, *, if_match: str | None = None) -> ObjectInfo:
        info = self.head(key)
        if info is None:
            raise ObjectMissing(f"{self.uri}/{key} does not exist")
        etag = if_match or info.etag

        def part(start: int, length: int) -> bytes:
            return self.read(key, start, length, if_match=etag)

        transfer.download(part, info.size_bytes, path)
        return info

    def put(
        self,
        key: str,
        data: bytes,
        *,
        if_none_match: bool = False,
        if_match: str | None = None,
    ) -> str:
        given = {**self._place(key), "Body": data, **_condition(if_none_match, if_match)}
        found = self._ask(lambda s3: s3.put_object(**given), key, "to write")
        return str(found["ETag"]).strip('"')

    def upload(self, key: str, path: Path, *, if_none_match: bool = False) -> str:
        if path.stat().st_size <= transfer.PART_BYTES:
            return self.put(key, path.read_bytes(), if_none_match=if_none_match)
        place, condition = self._place(key), _condition(if_none_match, None)

        def ask(operation: str, **given: object) -> Any:
            return self._ask(
                lambda s3: getattr(s3, operation)(**place, **given), key, "to write in parts"
            )

        return transfer.upload(ask, path, condition)

    def copy(self, source: str, target: str) -> None:
        info = self.head(source)
        if info is None:
            raise ObjectMissing(f"{self.uri}/{source} does not exist")
        if info.size_bytes > _LARGEST_COPY:
            raise ConfigError(
                f"{self.uri}/{source} has {info.size_bytes:,} bytes",
                valid="S3 copies at most 5 GiB in one request",
                fix="read it and write it again",
            )
        given = {**self._place(target), "CopySource": self._place(source)}
        self._ask(lambda s3: s3.copy_object(**given), source, "to copy")

    def delete(self, keys: Iterable[str]) -> None:
        waiting: list[str] = []
        for key in keys:
            waiting.append(key)
            if len(waiting) == _MANY_KEYS:
                self._delete(waiting)
                waiting = []
        self._delete(waiting)

    def _delete(self, keys: list[str]) -> None:
        if not keys:
            return
        told = {"Objects": [{"Key": self._below + key} for key in keys], "Quiet": True}
        answer = self._ask(
            lambda s3: s3.delete_objects(Bucket=self.bucket, Delete=told), keys[0], "to delete"
        )
        for refused in answer.get("Errors", ()):
            from botocore.exceptions import ClientError

            error = ClientError({"Error": refused}, "DeleteObjects")
            raise failure(error, f"s3://{self.bucket}/{refused['Key']}", "to delete")

    def _place(self, key: str) -> dict[str, Any]:
        return {"Bucket": self.bucket, "Key": self._below + key}

    def _ask(
        self,
        request: Callable[[Any], _Given],
        key: str,
        doing: str,
        *,
        behind_end: _Given | None = None,
    ) -> _Given:
        """The answer to one request; once more with keys resolved again where they were refused."""
        from botocore.exceptions import BotoCoreError, ClientError

        for again in (True, False):
            client = self._connected()
            try:
                return request(client)
            except (BotoCoreError, ClientError) as error:
                name = code(error)
                if name == "InvalidRange" and behind_end is not None:
                    return behind_end
                if again and name in WHO_ASKS:
                    self._forget(client)
                    continue
                raise failure(error, f"{self.uri}/{key}", doing) from None
        raise AssertionError("unreachable")

    def _connected(self) -> Any:
        with self._lock:
            if self._client is None:
                client: Any = self._connection.client()
                self._direct = DirectReads(self._connection.credentials())
                client.meta.events.register(EVENT, self._direct.see)
                self._client = client
            return self._client

    def _forget(self, client: Any) -> None:
        with self._lock:
            if self._client is client:
                self._client = self._direct = None


def _condition(if_none_match: bool, if_match: str | None) -> dict[str, str]:
    if if_none_match:
        return {"IfNoneMatch": "*"}
    return {} if if_match is None else {"IfMatch": f'"{if_match}"'}


def _info(key: str, found: dict[str, Any]) -> ObjectInfo:
    return ObjectInfo(
        key,
        int(found["ContentLength"]),
        str(found["ETag"]).strip('"'),
        found["LastModified"].astimezone(UTC),
        found.get("VersionId"),
    )
