"""The keys of a bucket, page by page: the next page is asked for while one is read.

botocore signs, repeats and refuses as for every request. Only the answer is read here: its parser
makes every field of every key by S3's model, which is most of what listing costs a client.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import unquote
from xml.etree import ElementTree as ET

from etl_platform.core.objects.store import ObjectInfo

EVENT = "before-parse.s3.ListObjectsV2"
_BODY = "Body"
_EMPTY = b"<ListBucketResult/>"


class Ask(Protocol):
    """One request to S3, with the store's errors."""

    def __call__(self, request: Callable[[Any], Any], key: str, doing: str) -> Any: ...


@dataclass(frozen=True, slots=True)
class Page:
    """At most 1,000 keys, and what comes next; None behind the last page."""

    objects: tuple[ObjectInfo, ...]
    prefixes: tuple[str, ...]
    next: str | None


def keep_body(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object
) -> None:
    """For botocore's :data:`EVENT`: hand over a page as it came instead of parsing it."""
    if response_dict["status_code"] == 200:
        customized_response_dict[_BODY] = response_dict["body"]
        response_dict["body"] = _EMPTY


def pages(ask: Ask, given: Mapping[str, object]) -> Iterator[Page]:
    """Every page of one listing; one more than is read is on its way.

    Args:
        given: of ``list_objects_v2``.
    """
    prefix = str(given.get("Prefix", ""))

    def page(token: str | None) -> Page:
        more = {} if token is None else {"ContinuationToken": token}
        answer = ask(lambda s3: s3.list_objects_v2(**given, **more), prefix, "to list")
        return _page(answer[_BODY])

    found = page(None)
    with ThreadPoolExecutor(1) as ahead:
        while found.next is not None:
            coming = ahead.submit(page, found.next)
            yield found
            found = coming.result()
    yield found


def list_objects(ask: Ask, bucket: str, prefix: str, start_after: str) -> Iterator[ObjectInfo]:
    """Every object whose whole key begins with ``prefix``, behind ``start_after``, in order."""
    given: dict[str, object] = {"Bucket": bucket, "Prefix": prefix}
    if start_after:
        given["StartAfter"] = start_after
    for page in pages(ask, given):
        yield from page.objects


def _page(body: bytes) -> Page:
    """Read ``ListBucketResult`` (S3 API reference), with or without its namespace."""
    root = ET.fromstring(body)
    fields = {_name(child): child.text for child in root}
    encoded = fields.get("EncodingType") == "url"
    objects: list[ObjectInfo] = []
    prefixes: list[str] = []
    for child in root:
        kind = _name(child)
        if kind == "Contents":
            one = {_name(field): field.text or "" for field in child}
            key = unquote(one["Key"]) if encoded else one["Key"]
            modified = datetime.fromisoformat(one["LastModified"])
            etag = one.get("ETag", "").strip('"')
            objects.append(ObjectInfo(key, int(one["Size"]), etag, modified))
        elif kind == "CommonPrefixes":
            text = child[0].text or ""
            prefixes.append(unquote(text) if encoded else text)
    more = fields.get("IsTruncated") == "true"
    return Page(
        tuple(objects), tuple(prefixes), fields.get("NextContinuationToken") if more else None
    )


def _name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]
