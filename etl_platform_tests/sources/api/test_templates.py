from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_platform.core.errors import ConfigError
from etl_platform.sources.api.incremental import begin
from etl_platform.sources.api.pagination.protocol import Step
from etl_platform.sources.api.resources import IncrementalOptions, ResourceOptions
from etl_platform.sources.api.templates import RequestTemplate

PARENT = {"id": 7, "name": "a/b?ü", "inner": {"code": "x"}, "none": None, "up": ".."}


def template(**options: object) -> RequestTemplate:
    since = options.pop("since", None)
    resource = ResourceOptions.model_validate({"path": "/x", **options})
    return RequestTemplate(resource, PARENT, since)


def test_a_value_in_the_path_is_one_segment_whatever_it_holds() -> None:
    request = template(path="/of/{parent.name}/{parent.inner.code}/{parent.id}").build(Step())
    assert request.url == "/of/a%2Fb%3F%C3%BC/x/7"


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_no_value_leads_out_of_its_segment(value: str) -> None:
    resource = ResourceOptions(path="/of/{parent.v}/end")
    if value in (".", ".."):
        return
    url = RequestTemplate(resource, {"v": value}).build(Step()).url
    assert url.count("/") == 3
    assert not set("?#\\ ") & set(url)


def test_a_text_that_is_only_a_placeholder_takes_the_values_own_type_in_a_body() -> None:
    body = {"id": "{parent.id}", "text": "no. {parent.id}", "page": "{page}", "braces": "{x} {}"}
    request = template(method="POST", body=body).build(Step({"page": 2}, {"page": "page"}))
    assert json.loads(request.body or b"") == {
        "id": 7, "text": "no. 7", "page": 2, "braces": "{x} {}",
    }  # fmt: skip
    assert request.params == ()
    assert request.headers["Content-Type"] == "application/json"


def test_what_no_placeholder_takes_is_a_parameter_of_the_query() -> None:
    step = Step({"page": 2, "size": 5}, {"page": "p", "size": "per_page"})
    request = template(params={"a": [1, True], "p": 9, "q": "{size}"}).build(step)
    assert request.params == (("a", "1"), ("a", "true"), ("q", "5"), ("p", "2"))


def test_without_a_value_a_parameter_is_left_out() -> None:
    options = {"incremental": {"cursor": "at", "param": "since"}, "params": {"v": "{parent.none}"}}
    assert template(**options).build(Step({"cursor": None}, {"cursor": "c"})).params == ()
    with_since = template(**options, since="2024-01-01").build(Step())
    assert with_since.params == (("since", "2024-01-01"),)


def test_an_address_that_the_server_gave_is_taken_as_it_is() -> None:
    request = template(params={"a": 1}).build(Step(url="http://h/x?b=2"))
    assert (request.url, request.params) == ("http://h/x?b=2", ())


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/{parent.nam}", r"no parent\.nam\n.*has id, name"),
        ("/{parent.none}", "no value for"),
        ("/{parent.up}/x", "leads to another path"),
    ],
)
def test_a_placeholder_without_a_value_is_told(path: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        template(path=path).build(Step())


@pytest.mark.parametrize(
    ("watermark", "lookback", "since"),
    [
        (None, None, "first"),
        ("2024-01-01T00:00:00Z", None, "2024-01-01T00:00:00Z"),
        ("2024-01-01T00:00:00Z", timedelta(minutes=10), "2023-12-31T23:50:00Z"),
        ("2024-01-01T00:00:00.5+02:00", timedelta(hours=1), "2023-12-31T23:00:00.500000+02:00"),
        ("2024-01-01", timedelta(hours=1), "2023-12-31"),
        ("1042", 42, "1000"),
    ],
)
def test_a_run_begins_at_the_watermark_less_the_lookback(watermark, lookback, since) -> None:
    options = IncrementalOptions(cursor="at", initial="first", lookback=lookback)
    assert begin(options, watermark) == since


@pytest.mark.parametrize(("watermark", "lookback"), [("abc", 1), ("12", timedelta(1))])
def test_a_lookback_that_does_not_fit_the_watermark_is_refused(watermark, lookback) -> None:
    with pytest.raises(ConfigError, match="does not fit the cursor 'at'"):
        begin(IncrementalOptions(cursor="at", lookback=lookback), watermark)
