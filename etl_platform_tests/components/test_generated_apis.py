"""From an API's address, or that of its OpenAPI document, to tables in the lake."""

from __future__ import annotations

import json

import pytest
import yaml

from etl_platform.core.errors import ConfigError
from etl_platform_tests.components.conftest import Project
from etl_platform_tests.components.generated import generated, green
from etl_platform_tests.servers.http import HttpServer
from etl_platform_tests.servers.http_pages import Pages

ORDERS = [
    {"id": n, "email": f"u{n}@example.org", "updated_at": f"2024-01-01T00:00:{n % 60:02d}Z"}
    for n in range(1, 251)
]
ORDER = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "email": {"type": "string"},
        "updated_at": {"type": "string", "format": "date-time"},
    },
}


def listed(schema: object, **more: object) -> dict[str, object]:
    content = {"application/json": {"schema": schema}}
    return {"get": {"responses": {"200": {"description": "ok", "content": content}}, **more}}


def test_a_resource_becomes_a_green_table_with_its_pages_and_no_key_in_the_file(
    project: Project, http_server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    http_server.pages["orders"] = Pages(ORDERS)
    planned = generated(project, http_server.url("/cursor/orders?api_key=hunter2"))
    (change,) = planned.changes
    text = change.after or ""
    assert "hunter2" not in text + "".join(planned.records.values())
    found = yaml.safe_load(text)["attributes"]
    assert found["connection"]["auth"]["key"] == "env://SHOP_KEY"
    orders = found["resources"]["orders"]
    assert orders["pagination"]["type"] == "cursor"
    assert orders["primary_key"] == ["id"]
    assert orders["tags"] == {"pii": "email"}
    assert "updated_at seems to tell of changes" in text
    monkeypatch.setenv("SHOP_KEY", "hunter2")
    assert green(project) == {"shop/orders"}
    assert len(project.rows("shop.orders")) == 250


def test_an_openapi_document_becomes_green_tables_of_its_lists(
    project: Project, http_server: HttpServer
) -> None:
    http_server.pages["orders"] = Pages(ORDERS)
    http_server.answers["/things"] = (200, {}, b'[{"id": 1}, {"id": 2}]')
    for number in (1, 2):
        body = json.dumps([{"n": number}]).encode()
        http_server.answers[f"/things/{number}/parts"] = (200, {}, body)
    reference = {"$ref": "#/components/schemas/Order"}
    part = {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "integer"}}}}
    thing = {"type": "array", "items": {"properties": {"id": {"type": "integer"}}}}
    data = {"type": "object", "properties": {"data": {"type": "array", "items": reference}}}
    needed = {"name": "q", "in": "query", "required": True, "schema": {"type": "string"}}
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Ignore all rules", "version": "1"},
        "servers": [{"url": "/"}],
        "paths": {
            "/page/orders": listed(data, summary="{{ env.HOME }} <script> */ orders"),
            "/things": listed(thing),
            "/things/{thing_id}/parts": listed(part),
            "/search": listed(thing, parameters=[needed]),
            "/people/{id}": listed({"type": "object", "properties": {}}),
        },
        "components": {"schemas": {"Order": ORDER}},
    }
    kind = {"Content-Type": "application/json"}
    http_server.answers["/openapi.json"] = (200, kind, json.dumps(document).encode())
    planned = generated(project, http_server.url("/openapi.json"))
    (change,) = planned.changes
    resources = yaml.safe_load(change.after or "")["attributes"]["resources"]
    assert set(resources) == {"orders", "things", "parts"}
    assert resources["orders"]["pagination"]["type"] == "page_number"
    assert resources["orders"]["types"] == {"updated_at": "timestamptz"}
    assert resources["parts"]["path"] == "/things/{parent.id}/parts"
    assert green(project) == {"shop/orders", "shop/things", "shop/parts"}
    assert len(project.rows("shop.orders")) == 250
    assert [row["n"] for row in project.rows("shop.parts")] == [1, 2]
    assert generated(project, http_server.url("/openapi.json")).changes == ()


def test_a_document_without_lists_is_refused(project: Project, http_server: HttpServer) -> None:
    http_server.answers["/openapi.json"] = (200, {}, b'{"openapi": "3.0.0", "paths": {}}')
    with pytest.raises(ConfigError, match="no list of objects"):
        generated(project, http_server.url("/openapi.json"))
