from __future__ import annotations

from datetime import UTC, datetime

import pytest

from etl_platform.core.objects.listing import Page, read_page
from etl_platform.core.objects.store import ObjectInfo

_AT = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
_PAGE = Page(
    (
        ObjectInfo("a b&c<d>.csv", 12, "0f", _AT),
        ObjectInfo("plain.csv", 0, "ab-2", _AT),
    ),
    ("deep/x y/",),
    "next&page",
)
_HEAD = (
    "<Name>b</Name><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>"
    "<NextContinuationToken>next&amp;page</NextContinuationToken>"
)
_FOLDER = "<CommonPrefixes><Prefix>deep/x%20y/</Prefix></CommonPrefixes>"
_TIME = "<LastModified>2026-02-03T04:05:06.000Z</LastModified>"


def _aws(key: str, etag: str, size: int) -> str:
    return (
        f"<Contents><Key>{key}</Key>{_TIME}<ETag>&quot;{etag}&quot;</ETag>"
        "<ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>"
        f"<Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
    )


def _with_owner(key: str, etag: str, size: int) -> str:
    return (
        f"<Contents><Size>{size}</Size><Key>{key}</Key>{_TIME}<ETag>&#34;{etag}&#34;</ETag>"
        "<Owner><ID>1</ID><DisplayName>o</DisplayName></Owner></Contents>"
    )


_FIRST, _SECOND = ("a%20b%26c%3Cd%3E.csv", "0f", 12), ("plain.csv", "ab-2", 0)


@pytest.mark.parametrize(
    "content",
    [
        _aws(*_FIRST) + _aws(*_SECOND) + _FOLDER,
        _aws(*_FIRST) + "\n" + _aws(*_SECOND) + _FOLDER,
        _FOLDER + _aws(*_FIRST) + _aws(*_SECOND),
        _aws(*_FIRST) + _FOLDER + _aws(*_SECOND),
        _with_owner(*_FIRST) + _with_owner(*_SECOND) + _FOLDER,
        _aws(*_FIRST) + _with_owner(*_SECOND) + _FOLDER,
        _aws(*_FIRST) + "<!-- <Contents> -->" + _aws(*_SECOND) + _FOLDER,
    ],
    ids=["aws", "lines", "folders first", "folders between", "others", "mixed", "comment"],
)
@pytest.mark.parametrize("namespace", ["", ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'])
def test_a_page_is_read_the_same_whatever_the_order_of_its_fields(
    content: str, namespace: str
) -> None:
    page = f"<ListBucketResult{namespace}>{_HEAD}{content}</ListBucketResult>"
    told = read_page(b'<?xml version="1.0" encoding="UTF-8"?>\n' + page.encode())
    assert told == _PAGE


def test_the_last_page_names_no_next_one_and_keys_are_told_below_the_root() -> None:
    told = read_page(
        f"<ListBucketResult>{_aws('in/a', '0f', 12)}</ListBucketResult>".encode(), "in/"
    )
    assert told == Page((ObjectInfo("a", 12, "0f", _AT),), (), None)
    assert read_page(b"<ListBucketResult/>") == Page((), (), None)


def test_keys_that_are_not_encoded_are_taken_as_they_are() -> None:
    given = "<Contents><Key>a%20&amp;b</Key>" + _TIME + "<ETag>0f</ETag><Size>12</Size></Contents>"
    told = read_page(f"<ListBucketResult>{given}</ListBucketResult>".encode())
    assert told.objects == (ObjectInfo("a%20&b", 12, "0f", _AT),)
