"""A schema registry on loopback: the part of Confluent's REST interface that readers use."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Registry:
    """Schemas by id and by subject and version; ``status`` answers instead of them when set."""

    url: str = ""
    schemas: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    credentials: str | None = None
    status: int | None = None

    def add(self, number: int, schema: Any, **more: Any) -> None:
        """Register a schema under an id."""
        self.schemas[f"/schemas/ids/{number}"] = {"schema": json.dumps(schema), **more}

    def add_version(self, subject: str, version: int, schema: Any) -> None:
        """Register a version of a subject."""
        self.schemas[f"/subjects/{subject}/versions/{version}"] = {"schema": json.dumps(schema)}


@contextmanager
def registry() -> Iterator[Registry]:
    """A registry that answers until the block ends."""
    state = Registry()

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name that http.server calls
            state.asked.append(self.path)
            status, body = self._answer()
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _answer(self) -> tuple[int, dict[str, Any]]:
            if state.credentials and self.headers.get("Authorization") != state.credentials:
                return 401, {"error_code": 401, "message": "Unauthorized"}
            if state.status is not None:
                return state.status, {"error_code": state.status, "message": "asked for"}
            if self.path in state.schemas:
                return 200, state.schemas[self.path]
            return 404, {"error_code": 40403, "message": "Schema not found"}

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
