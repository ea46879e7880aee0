"""An API for tests: pages of records, and misbehaviour by a seeded schedule.

Load the fixture with ``pytest_plugins = ["etl_platform_tests.servers.http"]`` in the top-level
``conftest.py``, or use :func:`misbehaving` as a context. The server runs in threads of the test
process, on loopback, and writes down every request with its time, so that budgets are counted
where it matters. Other processes may call it too.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import random
import socket
import ssl
import struct
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from enum import StrEnum
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import pytest

from etl_platform_tests.servers.http_pages import Page, Pages

_CREDENTIAL_HEADERS = ("authorization", "x-api-key", "cookie", "proxy-authorization")
_DRIP_S, _BOMB_BYTES = 0.05, 64 << 20


class Fault(StrEnum):
    """What can go wrong with one answer."""

    TOO_MANY_SECONDS = "429, Retry-After in seconds"
    TOO_MANY_DATE = "429, Retry-After as a date"
    TOO_MANY_SILENT = "429 without Retry-After"
    ERROR = "500"
    UNAVAILABLE = "503, Retry-After in seconds"
    UNAVAILABLE_SILENT = "503"
    SILENT_CLOSE = "the connection closes without an answer"
    RESET = "a reset in the middle of the body"
    CUT_BODY = "the body is shorter than its Content-Length"
    CUT_CHUNKS = "a chunked body without its end"
    CUT_GZIP = "a gzip body that ends too early"
    CUT_JSON = "JSON that ends too early, of the right length"
    DRIP = "a byte now and then"
    DRIP_HEAD = "a byte of the headers now and then"
    HTML = "HTML with status 200"
    BOMB = "gzip that grows to 64 MB"
    ELSEWHERE = "a redirect to another host or port"
    LOOP = "a redirect to itself"


BROKEN = (
    Fault.ERROR,
    Fault.UNAVAILABLE_SILENT,
    Fault.SILENT_CLOSE,
    Fault.RESET,
    Fault.CUT_BODY,
    Fault.CUT_CHUNKS,
    Fault.CUT_GZIP,
    Fault.CUT_JSON,
    Fault.HTML,
)
"""Faults that go away when the request is repeated, and ask for no waiting."""


@dataclass(frozen=True)
class Schedule:
    """Which answers go wrong: by seed, request and how often it came, whatever the order is.

    Attributes:
        share: of requests.
        in_a_row: a request that failed so often is answered properly.
    """

    share: float = 0.0
    kinds: tuple[Fault, ...] = BROKEN
    seed: int = 0
    in_a_row: int = 2

    def fault(self, request: str, times: int) -> Fault | None:
        """What goes wrong with a request that came ``times`` before."""
        seed = hashlib.sha256(f"{self.seed}/{request}/{times}".encode()).digest()
        chance = random.Random(seed)
        if not self.kinds or times >= self.in_a_row or chance.random() >= self.share:
            return None
        return chance.choice(self.kinds)


@dataclass(frozen=True)
class Seen:
    """A request as it arrived; ``at`` is of the monotonic clock."""

    at: float
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def credentials(self) -> tuple[str, ...]:
        """All headers that usually hold one, and the whole query and body."""
        found = [self.headers[name] for name in _CREDENTIAL_HEADERS if name in self.headers]
        return (*found, *self.query.values(), self.body.decode("utf-8", "replace"))


@dataclass
class Limit:
    """A budget that the server keeps to itself: 429 beyond it, and headers that tell of it."""

    requests: int
    window_s: float
    style: str = "ratelimit"
    """``ratelimit`` (IETF draft), ``x-ratelimit`` (GitHub's, with a time of the epoch) or none."""
    starts: float = 0.0
    used: int = 0
    refused: int = 0

    def take(self) -> tuple[bool, dict[str, str]]:
        """Whether a request is within the window's budget, and the headers."""
        now = time.time()
        if now >= self.starts + self.window_s:
            self.starts, self.used = now, 0
        allowed = self.used < self.requests
        self.used += allowed
        self.refused += not allowed
        left, reset_s = self.requests - self.used, self.starts + self.window_s - now
        if self.style == "ratelimit":
            return allowed, {"RateLimit": f'"default";r={left};t={-int(-reset_s // 1)}'}
        if self.style == "x-ratelimit":
            at = str(int(self.starts + self.window_s) + 1)
            return allowed, {"X-RateLimit-Remaining": str(left), "X-RateLimit-Reset": at}
        return allowed, {}


@dataclass
class HttpServer:
    """A running server; change its fields while it runs.

    Attributes:
        pages: sets of records by name.
        schedule: what goes wrong by chance.
        planned: what goes wrong with the next requests, before the schedule.
        allowed: whether a request's credentials are good; 401 otherwise.
        limit: a budget of the server's own.
        latency_s: before each answer.
        retry_after_s: what 429 and 503 ask for.
        elsewhere: where :attr:`Fault.ELSEWHERE` points.
        answers: whole answers by path: status, headers, body.
    """

    address: str
    pages: dict[str, Pages] = field(default_factory=dict[str, Pages])
    schedule: Schedule = Schedule()
    planned: deque[Fault] = field(default_factory=deque[Fault])
    allowed: Callable[[Seen], bool] = lambda seen: True
    limit: Limit | None = None
    latency_s: float = 0.0
    retry_after_s: int = 1
    elsewhere: str = ""
    answers: dict[str, tuple[int, Mapping[str, str], bytes]] = field(default_factory=dict)
    requests: list[Seen] = field(default_factory=list[Seen])
    faults: Counter[Fault] = field(default_factory=Counter[Fault])
    under_way: int = 0
    most_at_once: int = 0
    times: Counter[str] = field(default_factory=Counter[str])
    lock: threading.Lock = field(default_factory=threading.Lock)

    def url(self, path: str = "") -> str:
        """An absolute URL."""
        return f"{self.address}{path}"

    def most_in(self, seconds: float) -> int:
        """The most requests that arrived in any span of so many seconds."""
        at = sorted(seen.at for seen in self.requests)
        most = first = 0
        for last, moment in enumerate(at):
            while moment - at[first] >= seconds:
                first += 1
            most = max(most, last - first + 1)
        return most

    def credentials_seen(self) -> str:
        """Everything that arrived where credentials can be, as one text to search."""
        return "\n".join(text for seen in self.requests for text in seen.credentials)

    def reset(self) -> None:
        """Forget requests, faults, pages and settings: for the next test of a file."""
        with self.lock:
            fresh = HttpServer(self.address)
            for name, value in vars(fresh).items():
                if name not in {"lock", "under_way"}:
                    setattr(self, name, value)


@contextmanager
def misbehaving(tls: ssl.SSLContext | None = None) -> Generator[HttpServer]:
    """A server on a free port of loopback, until the context ends."""
    with _Listener(("127.0.0.1", 0), _Handler) as listener:
        scheme = "http"
        if tls is not None:
            scheme = "https"
            listener.socket = tls.wrap_socket(
                listener.socket, server_side=True, do_handshake_on_connect=False
            )
        listener.behaviour = HttpServer(f"{scheme}://127.0.0.1:{listener.server_port}")
        thread = threading.Thread(target=listener.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield listener.behaviour
        finally:
            listener.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def _http_of_module() -> Iterator[HttpServer]:
    with misbehaving() as server:
        yield server


@pytest.fixture
def http_server(_http_of_module: HttpServer) -> HttpServer:
    """A server that has forgotten what the test before did with it."""
    _http_of_module.reset()
    return _http_of_module


@pytest.fixture(scope="module")
def _elsewhere_of_module() -> Iterator[HttpServer]:
    with misbehaving() as server:
        yield server


@pytest.fixture
def other_http_server(_elsewhere_of_module: HttpServer) -> HttpServer:
    """Another one, that should receive no credentials."""
    _elsewhere_of_module.reset()
    return _elsewhere_of_module


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    behaviour: HttpServer

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away are part of what is tested."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Be silent."""

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def _serve(self) -> None:
        at = time.monotonic()
        server = self.server.behaviour  # pyright: ignore[reportAttributeAccessIssue]
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        parts = urlsplit(self.path)
        seen = Seen(at, self.command, parts.path, dict(parse_qsl(parts.query)), headers, body)
        request = f"{self.command} {self.path} {hashlib.sha256(body).hexdigest() if body else ''}"
        with server.lock:
            server.requests.append(seen)
            server.under_way += 1
            server.most_at_once = max(server.most_at_once, server.under_way)
        self._counted = True
        try:
            if server.latency_s:
                time.sleep(server.latency_s)
            self._answer(server, seen, request)
        finally:
            self._done()

    def _done(self) -> None:
        """Count the request as over: before its last bytes go, since the client may be faster."""
        server = self.server.behaviour  # pyright: ignore[reportAttributeAccessIssue]
        if self._counted:
            self._counted = False
            with server.lock:
                server.under_way -= 1

    def _answer(self, server: HttpServer, seen: Seen, request: str) -> None:
        told: dict[str, str] = {}
        with server.lock:
            fault = server.planned.popleft() if server.planned else None
            if fault is None:
                fault = server.schedule.fault(request, server.times[request])
            server.times[request] += 1
            if fault is not None:
                server.faults[fault] += 1
            within = True
            if server.limit is not None:
                within, told = server.limit.take()
        if not within:
            self._reply(429, b'{"error": "too many"}', told)
            return
        if not server.allowed(seen):
            self._reply(401, b'{"error": "unauthorized"}', {"WWW-Authenticate": "Bearer"})
            return
        if fault is not None and self._misbehave(server, seen, fault):
            return
        if seen.path in server.answers:
            status, headers, body = server.answers[seen.path]
            self._reply(status, body, dict(headers))
            return
        page = _page(server, seen)
        if isinstance(page, str):
            self._reply(404, json.dumps({"error": page}).encode(), told)
            return
        tag = '"' + hashlib.sha256(page.body).hexdigest()[:16] + '"'
        headers = {**page.headers, **told, "ETag": tag}
        if seen.headers.get("if-none-match") == tag:
            self._reply(304, b"", headers)
        elif fault is None:
            self._reply(200, page.body, headers)
        else:
            self._spoil(fault, page.body)

    def _misbehave(self, server: HttpServer, seen: Seen, fault: Fault) -> bool:
        """Answer wrongly without a page; False when the fault needs one."""
        wait_s = server.retry_after_s
        now = datetime.now(UTC).replace(microsecond=0)
        said, date = (
            format_datetime(moment, usegmt=True)
            for moment in (now, now + timedelta(seconds=wait_s))
        )
        match fault:
            case Fault.TOO_MANY_SECONDS:
                self._reply(429, b"{}", {"Retry-After": str(wait_s)})
            case Fault.TOO_MANY_DATE:
                self._reply(429, b"{}", {"Retry-After": date, "Date": said})
            case Fault.TOO_MANY_SILENT:
                self._reply(429, b"{}")
            case Fault.ERROR:
                self._reply(500, b'{"error": "internal"}')
            case Fault.UNAVAILABLE:
                self._reply(
                    503, b"busy", {"Retry-After": str(wait_s), "Content-Type": "text/plain"}
                )
            case Fault.UNAVAILABLE_SILENT:
                self._reply(503, b"<h1>busy</h1>", {"Content-Type": "text/html"})
            case Fault.SILENT_CLOSE:
                self.close_connection = True
            case Fault.HTML:
                self._reply(200, b"<html>maintenance</html>", {"Content-Type": "text/html"})
            case Fault.BOMB:
                self._reply(200, _bomb(), {"Content-Encoding": "gzip"})
            case Fault.ELSEWHERE:
                self._reply(302, b"", {"Location": server.elsewhere + self.path})
            case Fault.LOOP:
                self._reply(302, b"", {"Location": self.path})
            case _:
                return False
        return True

    def _spoil(self, fault: Fault, body: bytes) -> None:
        """Answer with a page, but not as it should be."""
        self._done()
        half = body[: len(body) // 2]
        head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        match fault:
            case Fault.CUT_JSON:
                self._reply(200, half)
                return
            case Fault.CUT_GZIP:
                packed = gzip.compress(body)
                self._reply(200, packed[: len(packed) // 2], {"Content-Encoding": "gzip"})
                return
            case Fault.CUT_CHUNKS:
                text = f"{head}Transfer-Encoding: chunked\r\n\r\n{len(half):x}\r\n"
                self.wfile.write(text.encode() + half + b"\r\n")
            case Fault.DRIP | Fault.DRIP_HEAD:
                whole = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
                for at in range(len(whole)):
                    self.wfile.write(whole[at : at + 1])
                    if fault is Fault.DRIP_HEAD or at >= len(whole) - len(body):
                        time.sleep(_DRIP_S)
            case _:
                self.wfile.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + half)
        if fault is Fault.RESET:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(self.connection.detach())
        self.close_connection = True

    def _reply(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        lines = {"Content-Type": "application/json", **(headers or {})}
        if (
            "Content-Encoding" not in lines
            and len(body) > 500
            and "gzip" in self.headers.get("Accept-Encoding", "")
        ):
            body = gzip.compress(body, 1)
            lines["Content-Encoding"] = "gzip"
        if status == 304:
            del lines["Content-Type"]
        lines = {"Date": self.date_time_string(), "Content-Length": str(len(body))} | lines
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        sent = b"" if self.command == "HEAD" else body
        self._done()
        # One write: two would wait for each other on a kept connection.
        self.wfile.write(f"HTTP/1.1 {status} _\r\n{head}\r\n".encode() + sent)


def _page(server: HttpServer, seen: Seen) -> Page | str:
    try:
        if seen.path == "/graphql":
            asked = json.loads(seen.body)
            name = next(name for name in server.pages if name in asked["query"])
            return server.pages[name].connection(name, asked["query"], asked.get("variables") or {})
        _, scheme, name = seen.path.split("/", 2)
        return server.pages[name].answer(scheme, name, seen.query, server.address)
    except (KeyError, ValueError, StopIteration) as error:
        return f"nothing at {seen.path}: {type(error).__name__}"


@cache
def _bomb() -> bytes:
    return gzip.compress(bytes(_BOMB_BYTES), 9)
