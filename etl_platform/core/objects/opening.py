"""From an address to a store."""

from __future__ import annotations

from pathlib import Path

from etl_platform.core.errors import ConfigError
from etl_platform.core.objects.connection import GivenClient, S3Connection
from etl_platform.core.objects.local import LocalStore
from etl_platform.core.objects.s3 import S3Store
from etl_platform.core.objects.store import ObjectStore


def open_store(
    uri: str | Path, connection: S3Connection | GivenClient | None = None
) -> ObjectStore:
    """The objects below ``s3://bucket/prefix``, ``file:///folder`` or a path; nothing is asked yet.

    Args:
        connection: for ``s3://``; default: boto3's own configuration.

    Raises:
        ConfigError: an address of another kind, or without a bucket.
    """
    text = str(uri)
    scheme, separator, rest = text.partition("://")
    if not separator:
        return LocalStore(text)
    if scheme == "file" and rest.startswith("/"):
        return LocalStore(rest)
    bucket, _, prefix = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise ConfigError(f"{text!r} is no place of objects", valid="s3://bucket/prefix or a path")
    return S3Store(bucket, prefix.strip("/"), connection)
