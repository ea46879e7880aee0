"""The first answers of APIs as they are found in the wild, and what they say about pages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from etl_platform.sources.api.messages import ApiRefused, ApiResponse, BadResponse
from etl_platform.sources.api.pagination.detection import Found, detect
from etl_platform.sources.api.pagination.protocol import Step
from etl_platform.sources.api.records.reading import JsonReader, Page

URL = "https://api.example/v1/items?status=open"
RECORDS = [{"id": n} for n in range(20)]


def page(body: object, headers: Mapping[str, str] | None = None) -> Page:
    return JsonReader().read(ApiResponse(URL, 200, headers or {}, json.dumps(body).encode()))


def nothing_else(step: Step) -> Page:
    raise ApiRefused(f"there is no {step}")


def found(body: object, headers: Mapping[str, str] | None = None) -> Found:
    return detect(page(body, headers), nothing_else)


@pytest.mark.parametrize(
    ("body", "headers", "kind", "option"),
    [
        (RECORDS, {"link": f'<{URL}&page=2>; rel="next"'}, "link_header", {}),
        (RECORDS, {"link": "</v1/items?page=2>; rel=next"}, "link_header", {}),
        ({"count": 45, "next": f"{URL}&page=2", "results": RECORDS}, {}, "next_url",
         {"next": "$.next"}),
        ({"data": RECORDS, "links": {"self": URL, "next": f"{URL}&page=2"}}, {}, "next_url",
         {"next": "$.links.next"}),
        ({"data": RECORDS, "_links": {"next": {"href": f"{URL}&page=2"}}}, {}, "next_url",
         {"next": "$._links.next.href"}),
        ({"value": RECORDS, "@odata.nextLink": f"{URL}&$skiptoken=x"}, {}, "next_url",
         {"next": "$['@odata.nextLink']"}),
        ({"ok": True, "members": RECORDS, "response_metadata": {"next_cursor": "dXNlcg=="}}, {},
         "cursor", {"next": "$.response_metadata.next_cursor", "param": "cursor"}),
        ({"items": RECORDS, "nextPageToken": "CAUQAA"}, {}, "cursor",
         {"next": "$.nextPageToken", "param": "pageToken"}),
        ({"data": RECORDS, "paging": {"cursors": {"after": "MTAx"}}}, {}, "cursor",
         {"next": "$.paging.cursors.after", "param": "after"}),
        ({"data": RECORDS, "meta": {"current_page": 1, "next_page": 2}}, {}, "cursor",
         {"next": "$.meta.next_page", "param": "page"}),
        ({"data": RECORDS, "meta": {"current_page": 1, "last_page": 3}}, {}, "page_number",
         {"total_pages": "$.meta.last_page"}),
        (RECORDS, {"x-total-pages": "3"}, "page_number", {"total_pages": "header x-total-pages"}),
    ],
)  # fmt: skip
def test_what_the_first_answer_says_is_followed(
    body: object, headers: dict[str, str], kind: str, option: dict[str, str]
) -> None:
    told = found(body, headers)
    assert isinstance(told.scheme, object)
    declared: Any = told.scheme
    assert declared.type == kind
    assert option.items() <= declared.model_dump().items()
    assert told.why


def test_the_next_address_is_taken_from_where_the_answer_came() -> None:
    first = page(RECORDS, {"link": "<?page=2>; rel=next"})
    step = found(RECORDS, {"link": "<?page=2>; rel=next"}).scheme.after(Step(), first)
    assert step is not None
    assert step.url == "https://api.example/v1/items?page=2"


@pytest.mark.parametrize(
    "body",
    [
        RECORDS[:7],
        {"data": RECORDS, "next": None},
        {"data": RECORDS, "total": 20, "meta": {"next_cursor": ""}},
        {"data": RECORDS, "links": {"self": URL}, "total_pages": 1},
        {"data": [], "total": 0},
    ],
)
def test_an_answer_that_leads_nowhere_is_all_there_is(body: object) -> None:
    assert found(body).scheme.after(Step(), page(body)) is None


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"data": RECORDS, "has_more": True}, r"\$\.has_more is true, .* holds 20 records"),
        ({"data": RECORDS[:7], "total": 105}, r"\$\.total is 105, .* holds 7 records"),
    ],
)
def test_more_records_that_nothing_leads_to_are_told(body: object, told: str) -> None:
    with pytest.raises(BadResponse, match=told):
        found(body)
