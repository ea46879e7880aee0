"""A bucket for the length of the demo: moto's S3 server, in a process of its own.

``python -m etl_platform.demo.bucket`` serves on a free port of loopback and prints its address.
"""

from __future__ import annotations

import logging
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from etl_platform.core.objects import S3Connection, S3Store

NAME = "landing"
FOLDER = "fleet"
_REGION = "us-east-1"
_URL, _KEY_ID, _SECRET = "BUCKET_URL", "BUCKET_KEY_ID", "BUCKET_SECRET"


@dataclass(frozen=True)
class Bucket:
    """Where the bucket is, and the key of who may read and write it: another one each time."""

    url: str
    key_id: str = field(default_factory=lambda: secrets.token_hex(10))
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(30))

    @property
    def variables(self) -> dict[str, str]:
        """What the definitions' references point to."""
        return {_URL: self.url, _KEY_ID: self.key_id, _SECRET: self.secret}


@contextmanager
def serving(log: Path) -> Generator[Bucket]:
    """Keep a server with an empty bucket; gives its place.

    Args:
        log: where its output goes.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "etl_platform.demo.bucket"]
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=output, text=True)
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        if not address:
            raise SystemExit(f"the bucket's server did not start; what it said is in {log}")
        yield Bucket(address)
    finally:
        process.kill()
        process.wait()


def store() -> S3Store:
    """The folder of the bucket that the definitions read, made when it is missing."""
    connection = S3Connection(
        region=_REGION,
        endpoint_url=f"env://{_URL}",
        access_key_id=f"env://{_KEY_ID}",
        secret_access_key=f"env://{_SECRET}",
    )
    connection.client().create_bucket(Bucket=NAME)
    return S3Store(NAME, FOLDER, connection)


def _serve() -> None:
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    print(f"http://{host}:{port}", flush=True)
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(1)  # It ends with the demo, however that ends.
    os._exit(0)


if __name__ == "__main__":
    _serve()
