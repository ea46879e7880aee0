"""What of an answer is looked at before it is read."""

from __future__ import annotations

import pytest

from etl_platform.sources.api.messages import ApiRefused, BadResponse
from etl_platform.sources.api.transport.answers import check_answer
from etl_platform.sources.api.transport.redirects import carries, redirected
from etl_platform.sources.api.transport.retries import retry_after_s
from etl_platform.sources.api.transport.urls import target_of
from etl_platform.sources.api.transport.wire import Answer


def answer(body: bytes = b"", status: int = 200, **headers: str) -> Answer:
    return Answer(status, {k.replace("_", "-"): v for k, v in headers.items()}, body, 0.0)


@pytest.mark.parametrize(
    ("kind", "accept"),
    [
        ("application/json", "application/json"),
        ("application/json; charset=utf-8", "application/json"),
        ("Application/HAL+JSON", "application/json"),
        ("text/plain", "application/json, text/*;q=0.5"),
        ("application/soap+xml", "text/xml"),
        ("image/png", "*/*"),
    ],
)
def test_a_promised_type_is_taken(kind: str, accept: str) -> None:
    check_answer(answer(b"{}", content_type=kind), accept, "here")


@pytest.mark.parametrize(
    ("kind", "accept"),
    [
        ("text/html", "application/json"),
        ("text/plain", "application/json"),
        ("application/json", "text/xml"),
    ],
)
def test_another_type_is_named(kind: str, accept: str) -> None:
    with pytest.raises(BadResponse, match=f"here answered with {kind}"):
        check_answer(answer(b"{}", content_type=kind), accept, "here")


@pytest.mark.parametrize("body", [b'{"a": "{"}', b'["]"]', b"3", b'{"a": {}}', b' "x" '])
def test_whole_json_is_taken(body: bytes) -> None:
    check_answer(answer(body, content_type="application/json"), "application/json", "here")


@pytest.mark.parametrize("body", [b"", b"  ", b"[{}", b'{"a": [1, 2', b'{"a": {"b": 1}'])
def test_json_without_its_end_is_refused(body: bytes) -> None:
    with pytest.raises(BadResponse, match="ends too early"):
        check_answer(answer(body, content_type="application/json"), "application/json", "here")


def test_an_answer_without_content_needs_no_json() -> None:
    for status in (204, 304):
        check_answer(answer(status=status, content_type="x/y"), "application/json", "here")


def test_retry_after_is_read_in_both_forms_by_the_servers_clock() -> None:
    date = "Sun, 06 Nov 1994 08:49:37 GMT"
    assert retry_after_s(answer(retry_after="7")) == 7
    assert retry_after_s(answer(retry_after="Sun, 06 Nov 1994 08:50:00 GMT", date=date)) == 23
    assert retry_after_s(answer(retry_after="Sun, 06 Nov 1994 08:49:00 GMT", date=date)) == 0
    assert retry_after_s(answer(retry_after=date)) == 0  # no Date: long ago by this clock
    assert retry_after_s(answer(retry_after="soon")) is None
    assert retry_after_s(answer()) is None


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/b?c=1", "http://api:8080/b?c=1"),
        ("b", "http://api:8080/v1/b"),
        ("?page=2", "http://api:8080/v1/a?page=2"),
        ("//other/b", "http://other/b"),
        ("https://api/ü", "https://api/%C3%BC"),
    ],
)
def test_a_redirect_leads_where_the_rules_of_urls_say(location: str, url: str) -> None:
    moved = answer(status=302, location=location)
    target, method, _ = redirected(moved, target_of("http://api:8080/v1/a"), "GET", None, [])
    assert target.url == url
    assert method == "GET"


def test_see_other_turns_a_post_into_a_get() -> None:
    moved = answer(status=303, location="/done")
    _, method, body = redirected(moved, target_of("http://api/a"), "POST", b"x", [])
    assert (method, body) == ("GET", None)


@pytest.mark.parametrize("status", [301, 302])
def test_a_redirect_that_would_change_a_post_is_refused(status: int) -> None:
    moved = answer(status=status, location="/b")
    with pytest.raises(ApiRefused, match=f"answered {status} to POST"):
        redirected(moved, target_of("http://api/a"), "POST", b"x", [])


@pytest.mark.parametrize("location", ["ftp://api/x", "https://", "http://api:port/", "file:///etc"])
def test_a_redirect_to_no_url_of_http_is_refused(location: str) -> None:
    moved = answer(status=302, location=location)
    with pytest.raises(BadResponse, match="not a URL to follow"):
        redirected(moved, target_of("http://api/a"), "GET", None, [])


def test_a_credential_is_found_in_a_url_however_it_is_quoted() -> None:
    for url in ("http://h/?k=a+b%26c", "http://h/a%20b&c", "http://h/?a%20b%26c"):
        assert carries(url, ["a b&c"])
    assert not carries("http://h/?k=ab", ["a b&c", ""])


def test_an_origin_is_scheme_host_and_port() -> None:
    assert target_of("http://API:80/x").origin == target_of("http://api").origin
    assert target_of("https://api/x").origin != target_of("http://api:443").origin
    assert target_of("http://api:81/x").origin != target_of("http://api").origin
    assert str(target_of("http://[::1]:81/x").origin) == "http://[::1]:81"
    assert target_of("http://user:password@api/x").url == "http://api/x"
