"""The keys of a bucket, page by page: the next page is asked for while one is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC
from typing import Any, Protocol

from etl_platform.core.objects.store import ObjectInfo


class Ask(Protocol):
    """One request to S3, with the store's errors."""

    def __call__(self, request: Callable[[Any], Any], key: str, doing: str) -> Any: ...


def list_objects(ask: Ask, bucket: str, prefix: str, start_after: str) -> Iterator[ObjectInfo]:
    """Every object whose whole key begins with ``prefix``, behind ``start_after``, in order."""
    given: dict[str, object] = {"Bucket": bucket, "Prefix": prefix}
    if start_after:
        given["StartAfter"] = start_after
    while True:
        page = ask(lambda s3, now=given: s3.list_objects_v2(**now), prefix, "to list")
        for one in page.get("Contents", ()):
            yield ObjectInfo(
                one["Key"],
                one["Size"],
                one["ETag"].strip('"'),
                one["LastModified"].astimezone(UTC),
            )
        if not page.get("IsTruncated"):
            return
        given = {**given, "ContinuationToken": page["NextContinuationToken"]}
