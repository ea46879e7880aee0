"""The keys of a bucket, page by page: the next page is asked for while one is read.

botocore signs, repeats and refuses as for every request. Only the answer is read here: its parser
makes every field of every key by S3's model, which is most of what listing costs a client. Keys as
AWS writes them are found by one pattern, which takes half of what a tree of elements does.
"""

from __future__ import annotations

import re
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
_CONTENTS = "<Contents>"
_OBJECT = re.compile(
    r"<Contents><Key>([^<&]*)</Key><LastModified>([^<]*)</LastModified>"
    r'<ETag>(?:"|&quot;|&#34;)?([^<"&]*)(?:"|&quot;|&#34;)?</ETag>'
    r"(?:<Checksum\w+>[^<]*</Checksum\w+>)*<Size>(\d+)</Size>"
    r"(?:<StorageClass>[^<]*</StorageClass>)?</Contents>"
)


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


def pages(ask: Ask, given: Mapping[str, object], below: str = "") -> Iterator[Page]:
    """Every page of one listing; one more than is read is on its way.

    Args:
        given: of ``list_objects_v2``.
        below: what every key begins with and is told without.
    """
    prefix = str(given.get("Prefix", ""))

    def page(token: str | None) -> Page:
        more = {} if token is None else {"ContinuationToken": token}
        answer = ask(lambda s3: s3.list_objects_v2(**given, **more), prefix, "to list")
        return read_page(answer[_BODY], below)

    found = page(None)
    with ThreadPoolExecutor(1) as ahead:
        while found.next is not None:
            coming = ahead.submit(page, found.next)
            yield found
            found = coming.result()
    yield found


def list_objects(
    ask: Ask, bucket: str, prefix: str, start_after: str, below: str
) -> Iterator[ObjectInfo]:
    """Every object whose whole key begins with ``prefix``, behind ``start_after``, in order."""
    given: dict[str, object] = {"Bucket": bucket, "Prefix": prefix}
    if start_after:
        given["StartAfter"] = start_after
    for page in pages(ask, given, below):
        yield from page.objects


def read_page(body: bytes, below: str = "") -> Page:
    """Read ``ListBucketResult`` (S3 API reference), with or without its namespace."""
    text = body.decode()
    start, end = text.find(_CONTENTS), text.rfind("</Contents>") + len("</Contents>")
    objects = text[start:end] if start >= 0 else ""
    found: list[tuple[str, ...]] = _OBJECT.findall(objects)
    rest = text.replace(objects, "") if objects else text
    if len(found) != objects.count(_CONTENTS) or "<CommonPrefixes>" in objects or "<!" in objects:
        # Other makers' servers have other fields, or another order.
        found, rest = [], text
    root = ET.fromstring(rest)
    fields = {_name(child): child.text for child in root}
    encoded = fields.get("EncodingType") == "url"
    prefixes: list[str] = []
    for child in root:
        kind = _name(child)
        if kind == "Contents":
            one = {_name(field): field.text or "" for field in child}
            etag = one.get("ETag", "").strip('"')
            found.append((one["Key"], one["LastModified"], etag, one["Size"]))
        elif kind == "CommonPrefixes":
            told = child[0].text or ""
            prefixes.append(unquote(told) if encoded else told)
    more = fields.get("IsTruncated") == "true"
    cut = len(below)
    return Page(
        tuple(
            ObjectInfo(
                (unquote(key) if encoded and "%" in key else key)[cut:],
                int(size),
                etag,
                datetime.fromisoformat(modified),
            )
            for key, modified, etag, size in found
        ),
        tuple(prefixes),
        fields.get("NextContinuationToken") if more else None,
    )


def _name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]
