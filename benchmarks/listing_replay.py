"""Pages of a listing as fast as a store gives them: ``python -m benchmarks.listing_replay URL``.

moto goes through all keys of the bucket for every page of them, so that its own work is most of
what any client waits for. This server asks moto for each page once, keeps the answer, and gives it
after ``LATENCY_S``, which is less than a page takes from S3.
"""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LATENCY_S = 0.02


@contextmanager
def replaying(address: str) -> Generator[str]:
    """The server in a process of its own; its address."""
    command = [sys.executable, "-m", "benchmarks.listing_replay", address]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
    finally:
        server.kill()
        server.wait()


def _serve(address: str) -> None:
    kept: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            if self.path not in kept:
                with urllib.request.urlopen(address + self.path) as answer:
                    kept[self.path] = answer.read()
            else:
                time.sleep(LATENCY_S)
            body = kept[self.path]
            self.send_response(200)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            del args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    _serve(sys.argv[1])
