"""Records as tables: what an answer holds, kept exactly or refused in words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal

import pytest
from pydantic import ValidationError

from etl_platform.core.errors import ConfigError, EtlError, PermanentError
from etl_platform.sources.api.extraction import Extraction, extract
from etl_platform.sources.api.messages import ApiRefused, BadResponse, Transport
from etl_platform.sources.api.options import ConnectionOptions, RetryOptions
from etl_platform.sources.api.resources import ResourceOptions
from etl_platform.sources.api.transport import open_transport
from etl_platform_tests.servers.http import HttpServer
from etl_platform_tests.servers.http_pages import Pages

ONCE = RetryOptions(attempts=1)


@pytest.fixture(scope="module")
def transport(_http_of_module: HttpServer) -> Iterator[Transport]:
    opened = open_transport("api", ConnectionOptions(base_url=_http_of_module.url(), retry=ONCE))
    yield opened
    opened.close()


@pytest.fixture
def answer(http_server: HttpServer, transport: Transport):
    def of(body: object, **options: object) -> Extraction:
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        http_server.answers["/one"] = (200, {}, sent)
        return extract(transport, ResourceOptions.model_validate({"path": "/one", **options}))

    return of


def rows(found: Extraction) -> list[dict[str, object]]:
    with found:
        return found.reader().read_all().to_pylist()


@pytest.mark.parametrize(
    ("body", "select"),
    [
        ([{"id": 1}, {"id": 2}], None),
        ({"data": [{"id": 1}, {"id": 2}], "page": 1, "tags": ["a"]}, None),
        ({"data": [{"id": 1}, {"id": 2}]}, "data"),
        ({"a": {"b c": [{"id": 1}, {"id": 2}]}}, "$.a['b c'][*]"),
        ({"a": [{"x": [{"id": 1}]}, {"x": [{"id": 2}]}]}, "$.a[*].x"),
        ({"a": [{"id": 0}, {"id": 1}, {"id": 2}]}, "$.a[?@.id > 0]"),
        ({"a": {"id": 1}, "b": {"id": 2}}, "$.*"),
    ],
)
def test_records_are_where_select_says_or_the_only_list_is(answer, body, select) -> None:
    assert rows(answer(body, select=select)) == [{"id": 1}, {"id": 2}]


def test_a_single_object_is_one_record_and_values_have_a_field(answer) -> None:
    assert rows(answer({"id": 1, "name": "x"})) == [{"id": 1, "name": "x"}]
    assert rows(answer(["a", "b"])) == [{"value": "a"}, {"value": "b"}]
    assert rows(answer({"data": None}, select="$.data")) == []


@pytest.mark.parametrize("select", ["$.a[*]", "$.a[?@.n > 0]"])
def test_numbers_are_as_they_were_written(answer, select: str) -> None:
    body = b'{"a": [{"n": 18446744073709551616, "f": 0.1234567890123456789, "x": 1.10}]}'
    assert rows(answer(body, select=select)) == [
        {"n": Decimal(2**64), "f": Decimal("0.1234567890123456789"), "x": 1.1}
    ]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'[{"a": 1, "a": 2}]', "field 'a' 2 times"),
        (b'[{"a": NaN}]', "not JSON|or is none|malformed"),
        (b'[{"a": "\xff"}]', "not UTF-8"),
        (b"[" * 5000 + b"]" * 5000, "nested too deep"),
        (b"", "empty answer|ends too early"),
        (b'{"a": [1], "b": [{"x": 1}], "c": [{"y": 1}]}', "cannot be told"),
        (b"3", "cannot be told"),
    ],
)
def test_what_cannot_be_read_without_loss_is_refused(answer, body: bytes, told: str) -> None:
    with pytest.raises(EtlError, match=told):
        answer(body)


def test_html_is_told_as_what_it_is(http_server: HttpServer, transport: Transport) -> None:
    http_server.answers["/login"] = (200, {}, b"<html>Sign in</html>")
    with pytest.raises(EtlError, match=r"HTML|not JSON|is none"):
        extract(transport, ResourceOptions(path="/login"))


def test_a_wrong_select_names_what_is_there(answer) -> None:
    with pytest.raises(BadResponse, match=r"select: \$\.items(.|\n)*valid: the answer has data"):
        answer({"data": []}, select="$.items")


def test_answers_meet_their_schema_or_say_where_not(answer) -> None:
    schema = {"properties": {"data": {"items": {"required": ["id"]}}}}
    assert len(rows(answer({"data": [{"id": 1}]}, response_schema=schema))) == 1
    with pytest.raises(
        BadResponse, match=r"breaks its schema at \$\.data\[0\]: 'id' is a required"
    ):
        answer({"data": [{"x": 1}]}, response_schema=schema)


def test_declared_columns_take_exact_values_and_refuse_others(answer) -> None:
    columns = {
        "id": {"type": "int64", "required": True},
        "at": {"type": "timestamptz", "unit": "ms"},
        "amount": "decimal(10, 2)",
        "city": {"type": "string", "path": "a.city"},
    }
    body = b'[{"id": 1, "at": 1700000000123, "amount": 1.10, "a": {"city": "K\xc3\xb6ln"}, "z": 1}]'
    (row,) = rows(answer(body, columns=columns))
    assert row["amount"] == Decimal("1.10")
    assert row["city"] == "Köln"
    with pytest.raises(PermanentError, match=r"record 2: .*'amount': 1\.105 has more than 2"):
        rows(answer([{"id": 1}, {"id": 2, "amount": 1.105}], columns=columns))
    with pytest.raises(PermanentError, match=r"record 1: column 'id' is required"):
        rows(answer([{"amount": 1}], columns=columns))


def test_types_of_some_columns_are_declared_and_the_others_found(answer) -> None:
    found = answer([{"id": 1, "at": "2024-01-01T00:00:00Z"}], types={"at": "timestamptz"})
    assert [str(one.type) for one in found.schema] == ["int64", "timestamp[us, tz=UTC]"]
    assert len(rows(found)) == 1


def test_values_of_several_kinds_can_be_kept_as_the_text_of_their_json(answer) -> None:
    body = b'[{"v": 1.10}, {"v": "x"}, {"v": {"a": [1]}}, {"v": null}, {}]'
    with pytest.raises(PermanentError, match=r"json_text: \[v\]"):
        answer(body)
    found = rows(answer(body, json_text=["v"]))
    assert [row["v"] for row in found] == ["1.10", '"x"', '{"a":[1]}', None, None]


def test_lists_of_objects_become_tables_that_point_back(answer) -> None:
    orders = [
        {"id": 7, "lines": [{"sku": "a", "taxes": [{"p": 1}, {"p": 2}]}, {"sku": "b"}], "t": [1]},
        {"id": 8, "lines": []},
        {"id": 9},
        {"id": 5, "lines": [None, {"sku": "c", "taxes": [{"p": 3}]}]},
    ]
    with answer(orders, primary_key=["id"], nested="explode") as found:
        tables = {one.name: one.reader().read_all().to_pylist() for one in found.tables}
        keys = {one.name: one.primary_key for one in found.tables}
    assert tables[""] == [{"id": 7, "t": [1]}] + [{"id": n, "t": None} for n in (8, 9, 5)]
    assert tables["lines"] == [
        {"_parent_id": 7, "_index_lines": 0, "sku": "a"},
        {"_parent_id": 7, "_index_lines": 1, "sku": "b"},
        {"_parent_id": 5, "_index_lines": 0, "sku": None},
        {"_parent_id": 5, "_index_lines": 1, "sku": "c"},
    ]
    assert [tuple(row.values()) for row in tables["lines__taxes"]] == [
        (7, 0, 0, 1), (7, 0, 1, 2), (5, 1, 0, 3),
    ]  # fmt: skip
    assert keys["lines__taxes"] == ("_parent_id", "_index_lines", "_index_taxes")


def test_child_tables_have_only_the_records_that_are_kept(answer) -> None:
    orders = [{"id": 1, "l": [{"x": 1}]}, {"id": 2, "l": [{"x": 2}]}, {"id": 1, "l": [{"x": 3}]}]
    with answer(orders, primary_key=["id"], nested="explode") as found:
        assert found.duplicates == 1
        (_, lines) = found.tables
        assert lines.reader().read_all()["x"].to_pylist() == [2, 3]


def test_a_record_without_its_key_is_refused(answer) -> None:
    with pytest.raises(PermanentError, match="record 2 has no 'id'"):
        answer([{"id": 1}, {"id": None}], primary_key=["id"])
    with pytest.raises(ConfigError, match=r"'key' is none of the columns(.|\n)*valid: id"):
        answer([{"id": 1}], primary_key=["key"])


def test_the_last_of_records_with_the_same_key_is_kept(answer) -> None:
    found = answer([{"a": "x", "b": 1, "v": 1}, {"a": "x", "b": 2, "v": 2}, {"a": "x", "b": 1,
                    "v": 3}], primary_key=["a", "b"])  # fmt: skip
    assert [row["v"] for row in rows(found)] == [2, 3]


@pytest.mark.parametrize(
    ("values", "types", "largest"),
    [
        ([1, 20, 3], {}, "20"),
        (["2024-01-02T00:00:00+00:00", "2024-01-01T23:30:00-01:00", None], {},
         "2024-01-01T23:30:00-01:00"),
        (["01HX", "01HZ", "01HA"], {}, "01HZ"),
        (["2024-01-02T00:00:00Z"], {"at": "timestamptz"}, "2024-01-02T00:00:00Z"),
        ([1700000000123], {"at": {"type": "timestamptz", "unit": "ms"}}, "1700000000123"),
        (["31/12/2023", "01/01/2024"], {"at": {"type": "timestamp", "format": "%d/%m/%Y"}},
         "01/01/2024"),
        ([], {}, None),
    ],
)  # fmt: skip
def test_the_cursor_is_the_largest_value_as_the_api_writes_it(
    answer, values, types, largest
) -> None:
    records = [{"id": n, "at": value} for n, value in enumerate(values)]
    found = answer(records, incremental={"cursor": "at"}, types=types)
    assert found.cursor == largest


def test_a_conditional_resource_is_asked_for_only_if_it_changed(
    http_server: HttpServer, transport: Transport
) -> None:
    http_server.pages["items"] = Pages([{"id": 1}])
    options = ResourceOptions.model_validate(
        {"path": "/page/items", "conditional": True, "pagination": {"type": "none"}}
    )
    with extract(transport, options) as first:
        assert not first.unchanged
    with extract(transport, options, validator=first.validator) as second:
        assert second.unchanged
        assert second.records == 0
    http_server.pages["items"] = Pages([{"id": 2}])
    with extract(transport, options, validator=first.validator) as third:
        assert not third.unchanged
        assert rows(third) == [{"id": 2}]


def test_a_refusal_of_the_server_ends_the_run(transport: Transport) -> None:
    with pytest.raises(ApiRefused, match="404"):
        extract(transport, ResourceOptions(path="/nothing/here"))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"select": "$.["}, "is no JSONPath"),
        ({"columns": {}}, "none is declared"),
        ({"columns": {"a": "int64"}, "types": {"a": "string"}}, "leave out types"),
        ({"nested": "explode"}, "needs primary_key"),
        ({"body": {"a": 1}}, "a GET has no body"),
        ({"columns": {"a": "int64"}, "incremental": {"cursor": "b"}}, "'b' is none of the columns"),
        ({"pagination": {"type": "page"}}, "page_number"),
        ({"pagination": {"type": "cursor", "next": "$.x", "wrong": 1}}, "wrong"),
    ],
)
def test_declarations_that_do_not_fit_together_are_refused(options, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        ResourceOptions.model_validate({"path": "/x", **options})
