"""What was fetched whole is not fetched again, wherever a run ended."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from etl_platform.sources.api.extraction import extract
from etl_platform.sources.api.messages import (
    ApiRequest,
    ApiResponse,
    ApiUnavailable,
    BadResponse,
    Transport,
)
from etl_platform.sources.api.options import ConnectionOptions
from etl_platform.sources.api.resources import ResourceOptions
from etl_platform.sources.api.spool import Spool
from etl_platform.sources.api.transport import open_transport
from etl_platform_tests.servers.http import Fault, HttpServer
from etl_platform_tests.servers.http_pages import Pages

PAGES, SIZE = 8, 5
DECLARED = {
    "page": {"type": "page_number", "size": SIZE, "total_records": "$.total"},
    "cursor": {"type": "cursor", "next": "$.next_cursor"},
}


class Dying:
    """A transport whose process ends after so many answers."""

    def __init__(self, inner: Transport, answers: int) -> None:
        self._inner, self._left = inner, answers

    def send(self, request: ApiRequest) -> ApiResponse:
        if self._left == 0:
            raise ApiUnavailable("the end")
        self._left -= 1
        return self._inner.send(request)

    def close(self) -> None: ...


@pytest.fixture(scope="module")
def _opened(_http_of_module: HttpServer) -> Iterator[Transport]:
    opened = open_transport("api", ConnectionOptions(base_url=_http_of_module.url()))
    yield opened
    opened.close()


@pytest.fixture
def transport(http_server: HttpServer, _opened: Transport) -> Transport:
    records = [{"id": n, "text": f"{n} ü"} for n in range(PAGES * SIZE)]
    http_server.pages["items"] = Pages(records, page_size=SIZE)
    return _opened


def resource(scheme: str, **options: object) -> ResourceOptions:
    return ResourceOptions.model_validate(
        {
            "path": f"/{scheme}/items",
            "primary_key": ["id"],
            "pagination": DECLARED[scheme],
            "concurrency": 3,
            **options,
        }
    )


@pytest.mark.parametrize("scheme", DECLARED)
@pytest.mark.parametrize("answers", range(PAGES))
def test_a_run_that_ended_after_any_page_is_gone_on_with(
    http_server: HttpServer, transport: Transport, tmp_path: Path, scheme: str, answers: int
) -> None:
    options = resource(scheme)
    with pytest.raises(ApiUnavailable):
        extract(Dying(transport, answers), options, spool=Spool.open(tmp_path, "api.items"))
    assert len(http_server.requests) == answers
    with extract(transport, options, spool=Spool.open(tmp_path, "api.items")) as found:
        assert found.reader().read_all()["id"].to_pylist() == list(range(PAGES * SIZE))
        assert found.pages_from_spool == answers
        found.discard()
    assert len(http_server.requests) == PAGES
    assert list(tmp_path.iterdir()) == []


def test_an_entry_that_is_cut_off_or_damaged_is_asked_for_again(
    http_server: HttpServer, transport: Transport, tmp_path: Path
) -> None:
    with extract(transport, resource("cursor"), spool=Spool.open(tmp_path, "api.items")):
        pass
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    chance = random.Random(7)
    for cut in [0, 1, len(whole) - 1, *(chance.randrange(len(whole)) for _ in range(12))]:
        path.write_bytes(whole[:cut])
        kept = Spool.open(tmp_path, "api.items")
        assert len(kept) < PAGES
        with extract(transport, resource("cursor"), spool=kept) as found:
            assert found.records == PAGES * SIZE
            assert found.pages_from_spool + found.requests == PAGES
        assert path.read_bytes() != whole[:cut]
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 1
    path.write_bytes(damaged)
    with extract(transport, resource("cursor"), spool=Spool.open(tmp_path, "api.items")) as found:
        assert found.records == PAGES * SIZE
        assert 0 < found.pages_from_spool < PAGES


def test_what_is_asked_for_decides_what_is_found(
    http_server: HttpServer, transport: Transport, tmp_path: Path
) -> None:
    options = resource("cursor", incremental={"cursor": "id", "param": "since"})
    for since, sent in ((None, PAGES), (None, 0), (5, PAGES), (5, 0), (6, PAGES)):
        kept = Spool.open(tmp_path, "api.items")
        with extract(transport, options, since=since, spool=kept) as found:
            assert found.requests == sent


def test_old_answers_are_forgotten(
    http_server: HttpServer, transport: Transport, tmp_path: Path
) -> None:
    with extract(transport, resource("cursor"), spool=Spool.open(tmp_path, "api.items")):
        pass
    old = Spool.open(tmp_path, "api.items", max_age_s=-1)
    with extract(transport, resource("cursor"), spool=old) as found:
        assert found.requests == PAGES


def test_a_spool_that_another_has_open_is_left_to_it(
    http_server: HttpServer, transport: Transport, tmp_path: Path
) -> None:
    first = Spool.open(tmp_path, "api.items")
    with extract(transport, resource("page"), spool=Spool.open(tmp_path, "api.items")) as found:
        assert found.records == PAGES * SIZE
        found.discard()
    assert len(first) == 0
    first.close()
    assert len(list(tmp_path.iterdir())) == 1


def test_answers_that_are_not_what_was_promised_are_not_kept(
    http_server: HttpServer, transport: Transport, tmp_path: Path
) -> None:
    http_server.answers["/bad"] = (200, {}, b'{"data": 1}')
    options = ResourceOptions.model_validate({"path": "/bad", "select": "$.data"})
    with pytest.raises(BadResponse, match="neither a list nor an object"):
        extract(transport, options, spool=Spool.open(tmp_path, "api.bad"))
    assert len(Spool.open(tmp_path, "api.bad")) == 0


def test_cookies_are_not_written_to_disk(
    http_server: HttpServer, transport: Transport, tmp_path: Path
) -> None:
    http_server.answers["/login"] = (200, {"Set-Cookie": "session=canary"}, b'[{"id": 1}]')
    options = ResourceOptions.model_validate({"path": "/login"})
    with extract(transport, options, spool=Spool.open(tmp_path, "api.login")):
        assert all(b"canary" not in path.read_bytes() for path in tmp_path.iterdir())


def test_more_than_memory_may_hold_is_read_again_from_disk(
    http_server: HttpServer,
    transport: Transport,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("etl_platform.sources.api.records.store._IN_MEMORY_BYTES", 100)
    http_server.planned.append(Fault.CUT_BODY)
    with extract(transport, resource("page"), spool=Spool.open(tmp_path, "api.items")) as found:
        for _ in range(2):
            assert found.reader().read_all()["id"].to_pylist() == list(range(PAGES * SIZE))
        assert found.pages_from_spool == 0


def test_answers_that_went_on_from_another_state_are_removed(tmp_path: Path) -> None:
    for state in ("version 1", "version 2", "version 2"):
        Spool.open(tmp_path, "api.items", state=state).close()
    Spool.open(tmp_path, "api.others", state="version 1").close()
    assert len(list(tmp_path.iterdir())) == 2
