"""The way of paging, found from an API's first answers, and why.

What an answer says about pages is believed in this order: a ``Link`` header, the next page's
address, a connection's ``pageInfo``, a token for the next page, numbers of pages. An answer that
says nothing, but holds as many records as pages usually have, is tried: whether ``?page=2`` or
``?offset=N`` brings other records. That costs at most two requests. An answer that says that there
is more, where nothing brings it, is refused: no API is cut off after its first page in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from etl_platform.sources.api.messages import ApiRefused, BadResponse
from etl_platform.sources.api.pagination.connection import Connection
from etl_platform.sources.api.pagination.cursor import Cursor
from etl_platform.sources.api.pagination.link_header import LinkHeader, next_link
from etl_platform.sources.api.pagination.next_url import NextUrl
from etl_platform.sources.api.pagination.offset import Offset
from etl_platform.sources.api.pagination.page_number import PageNumber
from etl_platform.sources.api.pagination.protocol import Scheme, Step
from etl_platform.sources.api.pagination.single import SinglePage
from etl_platform.sources.api.records.document import Document, fields, kind
from etl_platform.sources.api.records.reading import Page

_WITHIN = ("meta", "pagination", "paging", "page_info", "page", "links", "_links", "_meta",
           "response_metadata", "info", "result")  # fmt: skip
_ADDRESSES = ("next", "next_url", "nextUrl", "next_page_url", "nextLink", "next_link",
              "@odata.nextLink", "next_page", "nextPage", "href")  # fmt: skip
_TOKENS = {
    "next_cursor": "cursor",
    "nextCursor": "cursor",
    "cursor": "cursor",
    "after": "after",
    "next_page_token": "page_token",
    "nextPageToken": "pageToken",
    "next_token": "next_token",
    "nextToken": "nextToken",
    "continuation_token": "continuation_token",
    "continuationToken": "continuationToken",
    "next_page": "page",
    "nextPage": "page",
    "next_offset": "offset",
    "nextOffset": "offset",
}
_MORE = ("has_more", "hasMore", "has_next", "hasNext", "has_next_page", "hasNextPage", "more")
_PAGE_COUNTS = ("total_pages", "totalPages", "page_count", "pageCount", "last_page", "lastPage",
                "num_pages", "pages")  # fmt: skip
_RECORD_COUNTS = ("total", "total_count", "totalCount", "total_records", "totalRecords",
                  "total_items", "totalItems", "count")  # fmt: skip
_PAGE_HEADERS = ("x-total-pages", "x-wp-totalpages", "x-pagination-total-pages")
_RECORD_HEADERS = ("x-total-count", "x-total", "x-wp-total")
_USUAL_SIZES = frozenset({10, 12, 15, 20, 24, 25, 30, 40, 50, 60, 100, 200, 250, 500, 1000})


@dataclass(frozen=True, slots=True)
class Found:
    """A way of paging.

    Attributes:
        why: what in the answer showed it, or ``declared``.
    """

    scheme: Scheme
    why: str


def detect(page: Page, fetch: Callable[[Step], Page]) -> Found:
    """How this API's pages follow each other.

    Args:
        page: the first one, asked for without anything about pages.
        fetch: asks for another, where the first one does not tell.

    Raises:
        BadResponse: there are more records, and no way to them was found.
    """
    if next_link(page):
        return Found(LinkHeader(), 'the header Link has rel="next"')
    found = _told(page.document) if page.document is not None else None
    if found is None:
        found = _counted(page)
    return found or _tried(page, fetch)


def _told(document: Document) -> Found | None:
    places = dict(_places(document))
    for at, text in places.items():
        name = at[-1]
        if name in _ADDRESSES and text and _is_address(text):
            return Found(NextUrl(next=_path(at)), f"{_path(at)} is an address")
    for at, text in places.items():
        if at[-1] == "hasNextPage" and at[-2:-1] == ("pageInfo",):
            return Found(Connection(path=_path(at[:-2])), f"{_path(at[:-1])} is there")
        if at[-1] in _TOKENS and text:
            scheme = Cursor(next=_path(at), param=_TOKENS[at[-1]])
            return Found(scheme, f"{_path(at)} is a token")
    return None


def _counted(page: Page) -> Found | None:
    places = dict(_places(page.document)) if page.document is not None else {}
    for where, value in _numbers(places, page, _PAGE_COUNTS, _PAGE_HEADERS):
        if value > 1:
            return Found(PageNumber(total_pages=where), f"{where} is {value}")
    return None


def _tried(page: Page, fetch: Callable[[Step], Page]) -> Found:
    size = len(page.records)
    places = dict(_places(page.document)) if page.document is not None else {}
    counts = [
        (where, value)
        for where, value in _numbers(places, page, _RECORD_COUNTS, _RECORD_HEADERS)
        if value > size
    ]
    more = [f"{_path(at)} is true" for at, text in places.items()
            if at[-1] in _MORE and text == "true"]  # fmt: skip
    if not size or (not counts and not more and size not in _USUAL_SIZES):
        return Found(SinglePage(), "nothing in the answer leads to another page")
    total = counts[0][0] if counts else None
    said = [f"{total} is {counts[0][1]}" for _ in counts[:1]] + more
    told = said[0] if said else f"{size} records may be a full page"
    by_number = PageNumber(size=size, total_records=total)
    by_offset = Offset(limit=size, total_records=total)
    schemes: tuple[Scheme, ...] = (by_number, by_offset)
    for scheme in schemes:
        step = scheme.after(scheme.first(), page)
        if step is None:
            continue
        try:
            second = fetch(step)
        except ApiRefused:
            continue
        if second.records and second.records[0] != page.records[0]:
            return Found(scheme, f"{told}, and another {step} brings others")
    if said:
        raise BadResponse(
            f"{page.response.url}: {told}, the answer holds {size} records, and how to get the "
            "others was not found",
            fix="declare pagination as the API's documentation says; or pagination: {type: none}, "
            "if one answer is enough",
        )
    return Found(SinglePage(), f"{told}, but neither ?page=2 nor ?offset={size} brings others")


def _numbers(
    places: dict[tuple[str, ...], str | None],
    page: Page,
    names: Iterable[str],
    headers: Iterable[str],
) -> Iterable[tuple[str, int]]:
    for at, text in places.items():
        if at[-1] in names and text is not None and text.isdigit():
            yield _path(at), int(text)
    for name in headers:
        text = page.response.headers.get(name)
        if text is not None and text.isdigit():
            yield f"header {name}", int(text)


def _places(document: Document) -> Iterable[tuple[tuple[str, ...], str | None]]:
    """Scalars at the top, and within the places that usually tell of pages."""
    from etl_platform.sources.api.records.document import scalar_text

    for name, raw in document.top().items():
        if kind(raw) == "{":
            if name in _WITHIN:
                yield from _inner((name,), raw)
            elif name == "data":
                # Below GraphQL's data, each connection has a pageInfo.
                for one, inner in fields(raw).items():
                    if kind(inner) == "{" and "pageInfo" in fields(inner):
                        yield from _inner((name, one, "pageInfo"), fields(inner)["pageInfo"])
        elif kind(raw) != "[":
            yield (name,), scalar_text(bytes(raw))


def _inner(at: tuple[str, ...], raw: object) -> Iterable[tuple[tuple[str, ...], str | None]]:
    import msgspec

    from etl_platform.sources.api.records.document import scalar_text

    assert isinstance(raw, msgspec.Raw)
    if kind(raw) != "{":
        return
    for name, one in fields(raw).items():
        here = (*at, name)
        if kind(one) == "{" and name in ("next", "cursors", "pagination"):
            yield from _inner(here, one)
        elif kind(one) not in "[{":
            yield here, scalar_text(bytes(one))


def _is_address(text: str) -> bool:
    return text.startswith(("http://", "https://", "/", "?"))


def _path(names: tuple[str, ...]) -> str:
    return "$" + "".join(f".{name}" if name.isidentifier() else f"['{name}']" for name in names)
