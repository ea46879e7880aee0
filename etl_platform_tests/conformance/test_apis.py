"""What every API source has to bear, on a server that misbehaves by a seeded schedule.

Every record comes once and budgets hold, as counted by the server, or there is a clear error.
"""

from __future__ import annotations

import gzip
import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from etl_platform.core.settings import Settings
from etl_platform.sources.api.extraction import extract
from etl_platform.sources.api.messages import (
    ApiRefused,
    ApiRequest,
    ApiUnavailable,
    BadResponse,
    Transport,
)
from etl_platform.sources.api.options import ConnectionOptions, RetryOptions
from etl_platform.sources.api.resources import ResourceOptions
from etl_platform.sources.api.transport import open_transport
from etl_platform_tests.servers.http import (
    BROKEN,
    Fault,
    HttpServer,
    Limit,
    Schedule,
    misbehaving,
)
from etl_platform_tests.servers.http_pages import Pages
from etl_platform_tests.servers.oauth import OAuthServer

ASKED = ApiRequest("/page/items")
QUICK = RetryOptions(first_wait_s=0.01, longest_wait_s=0.05)
IMPATIENT = RetryOptions(first_wait_s=0.01, longest_wait_s=0.01, attempts=2, total_s=2)
PUT_OFF = (Fault.TOO_MANY_SECONDS, Fault.TOO_MANY_DATE, Fault.TOO_MANY_SILENT, Fault.UNAVAILABLE)
SCHEMES: dict[str, dict[str, Any] | None] = {
    "page": {"type": "page_number", "total_records": "$.total"},
    "offset": {"type": "offset", "limit": 10},
    "cursor": None,
    "next": {"type": "next_url", "next": "$.next"},
    "link": None,
    "keyset": {"type": "keyset", "field": "id", "param": "after", "limit": 10},
}
SEEDS = int(os.environ.get("API_STRESS_SEEDS", "20"))
PROCESSES, THREADS = 4, 5


def records(count: int) -> list[dict[str, object]]:
    return [{"id": number, "name": f"name {number} {{[ü"} for number in range(count)]


@contextmanager
def opened(server: HttpServer, **given: object) -> Generator[Transport]:
    options = {"base_url": server.url(), "retry": QUICK} | given
    transport = open_transport("api", ConnectionOptions.model_validate(options))
    try:
        yield transport
    finally:
        transport.close()


def resource(scheme: str, **options: object) -> ResourceOptions:
    declared = SCHEMES[scheme]
    given = {} if declared is None else {"pagination": declared}
    return ResourceOptions.model_validate(
        {"path": f"/{scheme}/items", "primary_key": ["id"]} | given | options
    )


def ids_of(transport: Transport, options: ResourceOptions) -> list[int]:
    with extract(transport, options) as found:
        return found.reader().read_all()["id"].to_pylist()


@pytest.fixture
def server(http_server: HttpServer, settings: Settings) -> HttpServer:
    """Serves 20 pages; what it asks for is remembered in a folder of the test's own."""
    del settings
    http_server.pages["items"] = Pages(records(200), page_size=10)
    return http_server


@pytest.mark.parametrize("fault", [*BROKEN, Fault.TOO_MANY_SILENT])
def test_an_answer_that_is_broken_once_is_asked_for_again(server: HttpServer, fault: Fault) -> None:
    server.planned.append(fault)
    with opened(server) as transport:
        answer = transport.send(ASKED)
    assert len(json.loads(answer.body)["data"]) == 10
    assert answer.retries == 1
    assert server.faults == {fault: 1}
    assert len(server.requests) == 2


@pytest.mark.parametrize("fault", BROKEN)
def test_an_answer_that_stays_broken_is_an_error_that_says_how(
    server: HttpServer, fault: Fault
) -> None:
    server.planned.extend([fault] * 5)
    with (
        opened(server, retry=IMPATIENT) as transport,
        pytest.raises((ApiUnavailable, BadResponse), match="after 2 attempts") as caught,
    ):
        transport.send(ASKED)
    assert server.address in str(caught.value)
    assert len(server.requests) == 2


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_record_comes_once_whatever_goes_wrong(server: HttpServer, scheme: str) -> None:
    server.retry_after_s = 0
    server.schedule = Schedule(0.4, (*BROKEN, *PUT_OFF), seed=len(scheme))
    with opened(server, limits={"concurrent": 4}) as transport:
        assert sorted(ids_of(transport, resource(scheme))) == list(range(200))
    assert server.faults.total() >= 5
    assert server.most_at_once <= 4


@pytest.mark.parametrize("fault", [Fault.TOO_MANY_SECONDS, Fault.TOO_MANY_DATE])
def test_nobody_asks_before_the_time_that_the_server_named(
    server: HttpServer, fault: Fault
) -> None:
    server.planned.append(fault)
    with opened(server) as transport, opened(server) as another:
        assert transport.send(ASKED).retries == 1
        assert another.send(ASKED).retries == 0
    first, *later = (seen.at for seen in server.requests)
    assert min(later) - first >= 1.0


def test_a_pause_that_is_too_long_ends_all_requests_at_once(server: HttpServer) -> None:
    server.planned.append(Fault.TOO_MANY_SECONDS)
    server.retry_after_s = 3600
    with opened(server) as transport:
        with pytest.raises(ApiUnavailable, match="asks to wait 3600 s"):
            transport.send(ASKED)
        with pytest.raises(ApiUnavailable, match=r"asked to wait 3\d\d\d s more"):
            transport.send(ASKED)
    assert len(server.requests) == 1


def test_a_budget_that_the_server_tells_of_is_kept(server: HttpServer) -> None:
    server.limit = Limit(15, window_s=1.0)
    with opened(server) as transport:
        assert ids_of(transport, resource("page")) == list(range(200))
    assert server.limit.refused == 0


def test_processes_share_a_budget(server: HttpServer, tmp_path: Path) -> None:
    server.retry_after_s = 0
    server.schedule = Schedule(0.2, BROKEN)
    server.latency_s = 0.02
    limits = {"per_second": 15, "concurrent": 4}
    found = asked_by_processes(server, limits, tmp_path, pages=20)
    assert sorted(found) == list(range(200))
    assert server.faults.total() > 0
    assert server.most_in(1.0) <= 15
    assert server.most_at_once <= 4


def test_the_place_of_a_killed_process_comes_back(server: HttpServer, tmp_path: Path) -> None:
    server.latency_s = 60
    connection = {"base_url": server.url(), "limits": {"concurrent": 1}}
    process = subprocess.Popen(command(connection, tmp_path, ["/page/items"], threads=1))
    while not server.requests:
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    server.latency_s = 0
    options = ConnectionOptions.model_validate(connection)
    transport = open_transport("shared", options, folder=tmp_path)
    assert transport.send(ASKED).status == 200
    transport.close()


@pytest.mark.parametrize("fault", [Fault.DRIP, Fault.DRIP_HEAD])
def test_a_slow_drip_ends_with_the_time_of_a_request(server: HttpServer, fault: Fault) -> None:
    server.planned.extend([fault] * 2)
    with (
        opened(server, timeout_s=0.2, retry=IMPATIENT) as transport,
        pytest.raises(ApiUnavailable, match=r"did not answer completely within 0\.2 s"),
    ):
        transport.send(ASKED)


def test_a_gzip_bomb_is_stopped_where_the_limit_is(server: HttpServer) -> None:
    server.planned.append(Fault.BOMB)
    with (
        opened(server, max_decoded_bytes=1 << 20) as transport,
        pytest.raises(BadResponse, match=r"more than 1,048,576 bytes after decompression"),
    ):
        transport.send(ASKED)
    assert len(server.requests) == 1


def test_gzip_is_read_to_its_end_in_all_its_members(server: HttpServer) -> None:
    headers = {"Content-Type": "text/plain", "Content-Encoding": "gzip"}
    whole = gzip.compress(b"one ") + gzip.compress(b"two")
    server.answers["/whole"] = (200, headers, whole)
    server.answers["/cut"] = (200, headers, whole[:-1])
    with opened(server, headers={"Accept": "text/plain"}, retry=IMPATIENT) as transport:
        assert transport.send(ApiRequest("/whole")).body == b"one two"
        with pytest.raises(ApiUnavailable, match="the compressed body ends too early"):
            transport.send(ApiRequest("/cut"))


def test_an_answer_that_is_too_large_is_stopped_as_it_arrives(server: HttpServer) -> None:
    server.answers["/large"] = (200, {"Content-Encoding": "identity"}, b" " * 100_000)
    with (
        opened(server, max_body_bytes=1000) as transport,
        pytest.raises(BadResponse, match="more than 1,000 bytes"),
    ):
        transport.send(ApiRequest("/large"))


@pytest.mark.parametrize("host", ["another port", "another name"])
def test_a_redirect_is_followed_without_the_credentials_of_the_api(
    server: HttpServer,
    other_http_server: HttpServer,
    monkeypatch: pytest.MonkeyPatch,
    host: str,
) -> None:
    other_http_server.pages["items"] = Pages(records(3))
    server.elsewhere = (
        other_http_server.address
        if host == "another port"
        else server.address.replace("127.0.0.1", "localhost")
    )
    monkeypatch.setenv("API_KEY", "canary-of-the-api")
    server.schedule = Schedule(1.0, (Fault.ELSEWHERE,), in_a_row=1)
    auth = {"type": "api_key", "key": "env://API_KEY"}
    with opened(server, auth=auth, headers={"X-Tenant": "ours"}) as transport:
        assert len(json.loads(transport.send(ASKED).body)["data"]) in {3, 10}
    asked, *followed = server.requests + other_http_server.requests
    assert asked.headers["x-api-key"] == "canary-of-the-api"
    assert len(followed) == 1
    assert "canary" not in str(followed)
    assert "x-tenant" not in followed[0].headers


def test_redirects_in_a_circle_are_an_error(server: HttpServer) -> None:
    server.planned.extend([Fault.LOOP] * 50)
    with opened(server) as transport, pytest.raises(BadResponse, match="redirects in a row"):
        transport.send(ASKED)


def test_a_redirect_keeps_a_body_where_it_was_meant_to_go(
    server: HttpServer, other_http_server: HttpServer
) -> None:
    location = other_http_server.url("/graphql")
    server.answers["/graphql"] = (307, {"Location": location}, b"")
    with opened(server) as transport, pytest.raises(ApiRefused, match="answered 307 to POST"):
        transport.send(ApiRequest("/graphql", method="POST", body=b"{}", repeatable=True))
    assert not other_http_server.requests


def test_what_may_not_be_repeated_is_sent_once(server: HttpServer) -> None:
    asked = ApiRequest("/page/items", method="POST", body=b"{}")
    with opened(server) as transport:
        server.planned.append(Fault.RESET)
        with pytest.raises(ApiUnavailable, match="broke off"):
            transport.send(asked)
        server.planned.append(Fault.ERROR)
        with pytest.raises(ApiUnavailable, match="answered 500"):
            transport.send(asked)
        assert len(server.requests) == 2
        server.planned.append(Fault.TOO_MANY_SILENT)  # not begun, so it may be sent again
        assert transport.send(asked).retries == 1


def test_a_server_that_fails_everyone_is_left_alone(server: HttpServer) -> None:
    server.planned.extend([Fault.ERROR] * 1000)
    retry = QUICK.model_copy(update={"circuit_failures": 8, "attempts": 50})
    with opened(server, retry=retry) as transport, ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(transport.send, ASKED) for _ in range(20)]
        for one in asked:
            with pytest.raises(ApiUnavailable, match=r"failed \d+ times in a row"):
                one.result()
    assert 8 <= len(server.requests) <= 8 + 4


def test_a_circuit_closes_when_one_request_succeeds(server: HttpServer) -> None:
    server.planned.extend([Fault.ERROR] * 3)
    retry = QUICK.model_copy(update={"circuit_failures": 3, "circuit_open_s": 0.0})
    with opened(server, retry=retry) as transport:
        assert transport.send(ASKED).retries == 3


def test_tokens_that_expire_lose_no_page(
    server: HttpServer, oauth_server: OAuthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from etl_platform_tests.servers.http import Seen
    from etl_platform_tests.servers.oauth import CLIENT, SECRET

    used = 0

    def allowed(seen: Seen) -> bool:
        nonlocal used
        used += 1
        if used % 11 == 0:  # seldom enough that no request meets three of them
            oauth_server.expire()
        return oauth_server.allows(seen)

    server.allowed = allowed
    server.schedule = Schedule(0.2, BROKEN)
    monkeypatch.setenv("CLIENT_SECRET", SECRET)
    auth = {
        "type": "oauth2_client_credentials",
        "token_url": oauth_server.token_url,
        "client_id": CLIENT,
        "client_secret": "env://CLIENT_SECRET",
    }
    with opened(server, auth=auth, limits={"concurrent": 3}) as transport:
        assert ids_of(transport, resource("page")) == list(range(200))
    assert oauth_server.requests.total() >= 3


@pytest.mark.parametrize("scheme", ["cursor", "next", "link"])
def test_a_cursor_that_leads_back_is_an_error(server: HttpServer, scheme: str) -> None:
    server.pages["items"].loops_after = 3
    with opened(server) as transport, pytest.raises(BadResponse):
        ids_of(transport, resource(scheme))
    assert len(server.requests) < 20


@pytest.mark.parametrize("scheme", ["page", "offset", "cursor", "next", "link"])
def test_pages_that_overlap_give_each_record_once(server: HttpServer, scheme: str) -> None:
    server.pages["items"].overlap = 3
    with opened(server) as transport:
        assert sorted(ids_of(transport, resource(scheme))) == list(range(200))


@pytest.mark.parametrize("scheme", ["page", "offset"])
def test_pages_that_shift_give_each_old_record_once(server: HttpServer, scheme: str) -> None:
    server.pages["items"].grows_every = 4
    declared = {"type": "page_number"} if scheme == "page" else SCHEMES[scheme]
    with opened(server) as transport:
        found = ids_of(transport, resource(scheme, pagination=declared, concurrency=1))
    assert len(found) == len(set(found))
    assert set(found) >= set(range(200))


def test_tls_is_verified_and_left_without_credentials(
    http_server: HttpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusted = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(trusted)
    http_server.pages["items"] = Pages(records(3))
    monkeypatch.setenv("API_KEY", "canary-of-the-api")
    auth = {"type": "bearer", "token": "env://API_KEY"}
    with misbehaving(context) as secure:
        secure.pages["items"] = Pages(records(5))
        with opened(secure, auth=auth, verify=str(trusted)) as transport:
            assert len(json.loads(transport.send(ASKED).body)["data"]) == 5
            secure.elsewhere = http_server.address
            secure.planned.append(Fault.ELSEWHERE)
            assert len(json.loads(transport.send(ASKED).body)["data"]) == 3
        another = tmp_path / "another.pem"
        trustme.CA().cert_pem.write_to_path(another)
        by_name = secure.url().replace("127.0.0.1", "localhost")
        for given in (
            {},
            {"verify": str(another)},
            {"verify": str(trusted), "base_url": by_name},
        ):
            with (
                opened(secure, auth=auth, **given) as transport,
                pytest.raises(ApiRefused, match="the certificate does not hold"),
            ):
                transport.send(ASKED)
        assert secure.credentials_seen().count("canary") == 2
    assert "canary" not in str(http_server.requests)


@pytest.mark.stress
@pytest.mark.timeout(3600)
def test_records_come_once_and_budgets_hold_for_many_seeds(
    server: HttpServer, tmp_path: Path
) -> None:
    server.latency_s = 0.01
    for seed in range(SEEDS):
        server.requests.clear()
        server.faults.clear()
        server.times.clear()
        server.most_at_once = 0
        server.schedule = Schedule(0.3, (*BROKEN, *PUT_OFF), seed=seed, in_a_row=3)
        server.pages["items"] = Pages(records(1000), page_size=10)
        limits = {"per_second": 20 + seed * 4, "concurrent": 2 + seed % 9}
        if seed == 0:
            limits["per_minute"] = 100
        killed = seed % 2
        found = asked_by_processes(
            server, limits, tmp_path / str(seed), pages=100, kill_after=30 if killed else None
        )
        assert sorted(found) == list(range(1000))
        second, minute = server.most_in(1.0), server.most_in(60.0)
        print(
            f"seed {seed}: {len(server.requests)} requests, {server.faults.total()} faults, "
            f"{killed} killed; at most {second} of {limits['per_second']} a second, {minute} of "
            f"{limits.get('per_minute', 'any')} a minute, {server.most_at_once} of "
            f"{limits['concurrent']} at once"
        )
        assert second <= limits["per_second"]
        assert minute <= limits.get("per_minute", minute)
        # The server goes on with what a killed process asked for.
        assert server.most_at_once <= limits["concurrent"] + THREADS * killed


def command(connection: object, folder: Path, paths: Sequence[str], threads: int) -> list[str]:
    given = {"connection": connection, "folder": str(folder), "paths": paths, "threads": threads}
    return [
        sys.executable,
        "-m",
        "etl_platform_tests.conformance.api_process",
        json.dumps(given),
    ]


def asked_by_processes(
    server: HttpServer,
    limits: dict[str, int],
    folder: Path,
    *,
    pages: int,
    kill_after: int | None = None,
) -> list[int]:
    """The ids that four processes get, each of which asks for every fourth page.

    The first is killed when the server has seen ``kill_after`` requests, and started again.
    """
    retry = {"first_wait_s": 0.01, "longest_wait_s": 0.05, "attempts": 10}
    connection = {"base_url": server.url(), "limits": limits, "retry": retry}

    def started(number: int) -> subprocess.Popen[bytes]:
        paths = [f"/page/items?page={page + 1}" for page in range(number, pages, PROCESSES)]
        return subprocess.Popen(command(connection, folder, paths, THREADS), stdout=subprocess.PIPE)

    processes = [started(number) for number in range(PROCESSES)]
    if kill_after is not None:
        while len(server.requests) < kill_after:
            assert processes[0].poll() is None
            time.sleep(0.01)
        processes[0].kill()
        processes[0].communicate()
        processes[0] = started(0)
    found = [json.loads(process.communicate()[0]) for process in processes]
    return [number for one in found for number in one]
