"""A shop's API on loopback whose records a test can change: cursors, changes since, ETags, days.

GET /orders?updated_since=T&after=ID    pages by the cursor ``next``, in the order of updates
GET /sales?from=DAY&to=DAY              those of some days
GET /settings                           one answer, with an ETag
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Record = dict[str, Any]


@dataclass
class OrdersApi:
    """What the API holds, and what it was asked.

    Attributes:
        orders: by id; ``updated_at`` is a text that only grows.
        delay_s: before each answer.
        asked: how often each path and query was answered.
        answered_before_break: pages of orders until they fail; below 0: never.
        wanted: credentials (``Authorization``) without which nothing is told.
    """

    orders: dict[int, Record] = field(default_factory=dict[int, Record])
    sales: list[Record] = field(default_factory=list[Record])
    settings: list[Record] = field(default_factory=list[Record])
    page: int = 3
    delay_s: float = 0.0
    asked: Counter[str] = field(default_factory=Counter[str])
    statuses: Counter[int] = field(default_factory=Counter[int])
    answered_before_break: int = -1
    wanted: str | None = None
    url: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, target: str, headers: dict[str, str]) -> tuple[int, object, dict[str, str]]:
        if self.delay_s:
            time.sleep(self.delay_s)
        if self.wanted is not None and headers.get("authorization") != self.wanted:
            return 401, {"error": "who are you?"}, {}
        parts = urlsplit(target)
        query = dict(parse_qsl(parts.query))
        with self._lock:
            if parts.path == "/orders":
                if self.answered_before_break == 0:
                    return 400, {"error": "out of order"}, {}
                self.answered_before_break -= self.answered_before_break > 0
                self.asked[target] += 1
                return 200, self._orders(query), {}
            self.asked[target] += 1
            if parts.path == "/sales":
                days = (query.get("from", ""), query.get("to", "~"))
                return 200, [one for one in self.sales if days[0] <= one["day"] < days[1]], {}
            if parts.path == "/settings":
                tag = f'"{hashlib.md5(json.dumps(self.settings).encode()).hexdigest()}"'
                if headers.get("if-none-match") == tag:
                    return 304, None, {"ETag": tag}
                return 200, self.settings, {"ETag": tag}
        return 404, {"error": "nothing here"}, {}

    def _orders(self, query: dict[str, str]) -> object:
        since, after = query.get("updated_since", ""), query.get("after", "")
        found = sorted(
            (one for one in self.orders.values() if one["updated_at"] >= since),
            key=lambda one: (one["updated_at"], one["id"]),
        )
        start = int(after) if after else 0
        shown = found[start : start + self.page]
        end = start + len(shown)
        following = str(end) if end < len(found) else None
        return {"orders": shown, "next": following, "total": len(found)}


@contextmanager
def orders_api(api: OrdersApi | None = None) -> Generator[OrdersApi]:
    """Keep the API on a free port."""
    made = api or OrdersApi()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            asked = {name.lower(): value for name, value in self.headers.items()}
            status, body, headers = made.answer(self.path, asked)
            made.statuses[status] += 1
            text = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            for name, value in headers.items():
                self.send_header(name, value)
            if status != 304:
                self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            del format, args

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that was killed is no error."""

    server = Server(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
