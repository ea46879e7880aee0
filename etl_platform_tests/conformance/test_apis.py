"""What every API source has to bear, on a server that misbehaves by a seeded schedule."""

from __future__ import annotations

import json

import pytest

from etl_platform.sources.api.messages import ApiRequest
from etl_platform.sources.api.options import ConnectionOptions, RetryOptions
from etl_platform.sources.api.transport import open_transport
from etl_platform_tests.servers.http import BROKEN, Fault, HttpServer
from etl_platform_tests.servers.http_pages import Pages

QUICK = RetryOptions(first_wait_s=0.01, longest_wait_s=0.05)


def records(count: int) -> list[dict[str, object]]:
    return [{"id": number, "name": f"name {number} {{[ü"} for number in range(count)]


@pytest.mark.parametrize("fault", BROKEN)
def test_an_answer_that_is_broken_once_is_asked_for_again(
    http_server: HttpServer, fault: Fault
) -> None:
    http_server.pages["items"] = Pages(records(100))
    http_server.planned.append(fault)
    transport = open_transport("api", ConnectionOptions(base_url=http_server.url(), retry=QUICK))
    answer = transport.send(ApiRequest("/page/items"))
    assert len(json.loads(answer.body)["data"]) == 100
    assert http_server.faults == {fault: 1}
    assert len(http_server.requests) == 2
    transport.close()
