"""S3 for tests: moto's server in a process of its own.

Clients written in other languages keep Python's lock while they wait for an answer: a server in a
thread of the same process could never give one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

import pytest

from etl_platform.core.objects import S3Connection, S3Store
from etl_platform_tests.servers.aws import ACCOUNT, CREDENTIALS, REGION, AwsServer


@dataclass(frozen=True)
class S3Server:
    """A running server: buckets are made and filled."""

    aws: AwsServer
    process: subprocess.Popen[str]

    def connection(self) -> S3Connection:
        """How the platform is told of the server."""
        return S3Connection.model_validate(
            {"region": REGION, "endpoint_url": self.aws.address, **CREDENTIALS}
        )

    def settings(self) -> dict[str, str]:
        """The same as the platform's settings."""
        return {f"s3_{name}": value for name, value in self.connection() if value is not None}

    def environment(self) -> dict[str, str]:
        """The settings as environment variables, for other processes too."""
        return {f"ETL_{name.upper()}": value for name, value in self.settings().items()}

    def bucket(self) -> str:
        """Make a bucket and return its name."""
        name = f"b-{uuid4().hex[:12]}"
        self.aws.client("s3").create_bucket(
            Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        return name

    def fill(self, bucket: str, keys: Iterable[str], data: str = "") -> None:
        """Let many objects be there, without a request for each."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([bucket, list(keys), data]) + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "filled\n"

    def store(self, prefix: str = "") -> S3Store:
        """What lies below a prefix of a new bucket."""
        return S3Store(self.bucket(), prefix, self.connection())


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """One server for the whole session (one per pytest-xdist worker)."""
    with serving() as server:
        yield server


@contextmanager
def serving() -> Generator[S3Server]:
    """A server in a process of its own."""
    os.environ |= {"TEST_AWS_KEY_ID": "test", "TEST_AWS_SECRET_KEY": "test"}
    with subprocess.Popen(
        [sys.executable, "-m", "etl_platform_tests.servers.s3"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield S3Server(AwsServer(process.stdout.readline().strip()), process)
        process.kill()


def serve() -> None:
    """Print the address; fill buckets as lines ask for it; end with the standard input."""
    import logging

    from moto.s3.models import s3_backends
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    _tell(f"http://{host}:{port}")
    for line in sys.stdin:
        bucket, keys, data = json.loads(line)
        for key in keys:
            s3_backends[ACCOUNT]["aws"].put_object(bucket, key, data.encode())
        _tell("filled")
    os._exit(0)  # The server's threads may be in the middle of an answer that nobody waits for.


def _tell(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    serve()
