"""A weather service for the length of the demo: the hourly weather of 2013 over HTTP.

Who asks gets a token with an id and a secret (OAuth2, client credentials), which is good for a few
seconds. Observations come in pages, those of a station since a time where one is named. More
requests in a second than the service bears get 429, and when to come back.
"""

from __future__ import annotations

import base64
import json
import math
import secrets
import threading
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from urllib.parse import parse_qs, urlsplit

import polars as pl

CLIENT = "demo"
PAGE = 1000
PER_SECOND = 20
TOKEN_S = 5
_STATIONS = {"EWR": "Newark Liberty", "JFK": "John F. Kennedy", "LGA": "LaGuardia"}
_VALUES = (
    "temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib",
)  # fmt: skip


@dataclass
class WeatherService:
    """Where the service is, who may ask, and what it was asked.

    Attributes:
        per_second: requests that it answers in one second of its clock.
        pages: how often each page was given, by path and query.
        refused: answers 429.
        tokens: given so far.
    """

    secret: str
    page: int = PAGE
    per_second: int = PER_SECOND
    url: str = ""
    pages: Counter[str] = field(default_factory=Counter[str])
    refused: int = 0
    tokens: dict[str, float] = field(default_factory=dict[str, float])
    _second: int = 0
    _asked: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _observations: dict[str, list[tuple[str, str]]] = field(
        default_factory=dict[str, list[tuple[str, str]]]
    )

    def __post_init__(self) -> None:
        for station, rows in _observations().items():
            self._observations[station] = rows

    def answer(self, method: str, path: str, authorization: str) -> tuple[int, str, dict[str, str]]:
        """Status, JSON and headers of the answer to one request."""
        parts = urlsplit(path)
        if method == "POST" and parts.path == "/oauth/token":
            return self._token(authorization)
        if self.tokens.get(authorization.removeprefix("Bearer "), 0.0) < time.monotonic():
            return 401, _error("the token is not known, or has expired"), {}
        left, reset_s = self._left()
        told = {
            "RateLimit-Limit": str(self.per_second),
            "RateLimit-Remaining": str(max(0, left)),
            "RateLimit-Reset": str(reset_s),
        }
        if left < 0:
            return 429, _error("too many requests"), {**told, "Retry-After": str(reset_s)}
        found = self._page(parts.path, parse_qs(parts.query))
        if found is None:
            return 404, _error("there is no such resource"), told
        with self._lock:
            self.pages[path] += 1
        return 200, found, told

    def _token(self, authorization: str) -> tuple[int, str, dict[str, str]]:
        expected = base64.b64encode(f"{CLIENT}:{self.secret}".encode()).decode()
        if not secrets.compare_digest(authorization, f"Basic {expected}"):
            return 401, json.dumps({"error": "invalid_client"}), {}
        token = secrets.token_urlsafe(24)
        with self._lock:
            self.tokens[token] = time.monotonic() + TOKEN_S
        given = {"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_S}
        return 200, json.dumps(given), {"Cache-Control": "no-store"}

    def _left(self) -> tuple[int, int]:
        """Requests that are left in this second, less than none where it is over, and the seconds
        until the next one begins."""
        with self._lock:
            now = time.time()
            if int(now) != self._second:
                self._second, self._asked = int(now), 0
            self._asked += 1
            self.refused += self._asked > self.per_second
            return self.per_second - self._asked, max(1, math.ceil(self._second + 1 - now))

    def _page(self, path: str, query: dict[str, list[str]]) -> str | None:
        if path == "/v1/stations":
            return json.dumps({"stations": [{"id": k, "name": n} for k, n in _STATIONS.items()]})
        match path.strip("/").split("/"):
            case ["v1", "stations", station, "observations"] if station in self._observations:
                rows = self._observations[station]
            case _:
                return None
        since = query.get("since", [""])[0]
        asked = [text for at, text in rows if at >= since] if since else [text for _, text in rows]
        number = int(query.get("page", ["1"])[0])
        pages = max(1, math.ceil(len(asked) / self.page))
        shown = ", ".join(asked[(number - 1) * self.page : number * self.page])
        return f'{{"observations": [{shown}], "page": {number}, "total_pages": {pages}}}'


@contextmanager
def serving(service: WeatherService | None = None) -> Generator[WeatherService]:
    """Keep a service on a free port of loopback; its secret is another one each time."""
    found = service or WeatherService(secrets.token_urlsafe(24))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body are written one after the other: neither waits for a full packet.
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._say("GET")

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self._say("POST")

        def _say(self, method: str) -> None:
            authorization = self.headers.get("Authorization") or ""
            status, text, headers = found.answer(method, self.path, authorization)
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the base's name
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _error(text: str) -> str:
    return json.dumps({"error": text})


def _observations() -> dict[str, list[tuple[str, str]]]:
    """By station, in the order of time: when, and the observation in JSON."""
    data = files("etl_platform.demo") / "data" / "weather.parquet"
    rows = (
        pl.read_parquet(data.read_bytes())
        .sort("origin", "time_hour")
        .select(
            pl.col("origin").alias("station"),
            pl.col("time_hour").dt.strftime("%Y-%m-%dT%H:%M:%SZ").alias("observed_at"),
            *_VALUES,
        )
    )
    texts = rows.select(pl.struct(pl.all()).struct.json_encode()).to_series().to_list()
    found: dict[str, list[tuple[str, str]]] = {}
    for station, at, text in zip(rows["station"], rows["observed_at"], texts, strict=True):
        found.setdefault(station, []).append((at, text))
    return found
