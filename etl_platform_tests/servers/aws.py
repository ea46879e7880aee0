"""AWS for tests: moto's server on loopback, and something in front of it that makes requests fail.

Load the fixtures with ``pytest_plugins = ["etl_platform_tests.servers.aws"]`` in the top-level
``conftest.py``. The server runs in a thread of the test process; it serves every service of moto.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import threading
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from etl_platform.sources.stream.kinesis import KinesisOptions
from etl_platform_tests.servers.kafka import Message

if TYPE_CHECKING:
    from etl_platform_tests.servers.aws_shards import DocumentedShard

ACCOUNT = "123456789012"
REGION = "eu-central-1"
CREDENTIALS = {
    "access_key_id": "env://TEST_AWS_KEY_ID",
    "secret_access_key": "env://TEST_AWS_SECRET_KEY",
}
_PUT_RECORDS, _PUT_BYTES = 500, 4 << 20


@dataclass(frozen=True)
class AwsServer:
    """A running server."""

    address: str

    def client(self, service: str):
        """A boto3 client with credentials that mean nothing."""
        import boto3

        return boto3.client(
            service,
            endpoint_url=self.address,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )


@dataclass(frozen=True)
class KinesisServer:
    """Streams of a server: made, filled, resharded, aged."""

    aws: AwsServer

    def options(self, stream: str, **given) -> KinesisOptions:
        """How the platform is told of a stream."""
        known = {"region": REGION, "endpoint_url": self.aws.address, **CREDENTIALS}
        return KinesisOptions.model_validate({**known, "stream": stream, **given})

    def create(self, shards: int = 1, name: str | None = None) -> str:
        """Make a stream and return its name."""
        stream = name or f"s_{uuid4().hex[:12]}"
        self.client.create_stream(StreamName=stream, ShardCount=shards)
        return stream

    def delete(self, stream: str) -> None:
        """Delete a stream with all that it holds."""
        self.client.delete_stream(StreamName=stream)

    def produce(self, stream: str, messages: Iterable[Message]) -> None:
        """Write messages, in their order, to the n-th open shard whatever their key is."""
        opened = [one for one in self.shards(stream).values() if one.is_open]
        batch: list[dict[str, object]] = []
        size = 0
        for message in messages:
            assert message.value is not None
            if len(batch) == _PUT_RECORDS or size + len(message.value) > _PUT_BYTES:
                self.put(stream, batch)
                batch, size = [], 0
            size += len(message.value)
            record = {"Data": message.value, "PartitionKey": (message.key or b"k").decode()}
            record["ExplicitHashKey"] = str(opened[message.partition].starting_hash)
            batch.append(record)
        if batch:
            self.put(stream, batch)

    def put(self, stream: str, records: list[dict[str, object]]) -> list[tuple[str, str]]:
        """Write records; returns the shard and position of each."""
        answer = self.client.put_records(StreamName=stream, Records=records)
        assert answer["FailedRecordCount"] == 0
        return [(one["ShardId"], one["SequenceNumber"]) for one in answer["Records"]]

    def split(self, stream: str, shard: str) -> None:
        """Close a shard; two others share its keys."""
        one = self.shards(stream)[shard]
        half = (one.starting_hash + one.ending_hash) // 2
        self.client.split_shard(StreamName=stream, ShardToSplit=shard, NewStartingHashKey=str(half))

    def merge(self, stream: str, shard: str, adjacent: str) -> None:
        """Close two shards; another one has their keys."""
        self.client.merge_shards(
            StreamName=stream, ShardToMerge=shard, AdjacentShardToMerge=adjacent
        )

    def trim(self, stream: str, shard: str, count: int) -> None:
        """Remove the oldest messages of a shard, as retention does."""
        records = self.shards(stream)[shard].records
        for _ in range(count):
            records.popitem(last=False)

    def age(self, stream: str, seconds: float) -> None:
        """Let all messages have arrived so much earlier."""
        for shard in self.shards(stream).values():
            for one in shard.records.values():
                one.created_at -= seconds
                one.created_at_datetime -= timedelta(seconds=seconds)

    def shards(self, stream: str) -> dict[str, DocumentedShard]:
        """What the server keeps."""
        from moto.kinesis.models import kinesis_backends

        return kinesis_backends[ACCOUNT][REGION].streams[stream].shards

    @cached_property
    def client(self):
        """boto3's."""
        return self.aws.client("kinesis")


@pytest.fixture(scope="session")
def aws_server() -> Iterator[AwsServer]:
    """One server for the whole session (one per pytest-xdist worker)."""
    # Imported here: every session of pytest loads this module, few need moto.
    from moto.server import ThreadedMotoServer

    from etl_platform_tests.servers.aws_shards import documented_kinesis

    os.environ |= {"TEST_AWS_KEY_ID": "test", "TEST_AWS_SECRET_KEY": "test"}
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    with documented_kinesis():
        server.start()
        host, port = server.get_host_and_port()
        yield AwsServer(f"http://{host}:{port}")
        server.stop()


@pytest.fixture(scope="session")
def kinesis_server(aws_server: AwsServer) -> KinesisServer:
    """Kinesis of that server."""
    return KinesisServer(aws_server)


@dataclass
class AwsFront:
    """Passes requests on; answers those in ``failures`` itself.

    Attributes:
        address: where clients find it.
        failures: what to answer next, by operation: AWS's name of an error and the HTTP status; a
            status of 0 breaks the connection instead.
        asked: how often each operation was asked for.
    """

    address: str
    failures: dict[str, deque[tuple[str, int]]] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)

    def fail(self, operation: str, error: str, status: int = 400, times: int = 1) -> None:
        """Let the next requests of an operation fail."""
        self.failures.setdefault(operation, deque()).extend([(error, status)] * times)


@pytest.fixture
def aws_front(aws_server: AwsServer) -> Iterator[AwsFront]:
    """Something that stands between clients and the server."""
    target = aws_server.address.removeprefix("http://")
    front = AwsFront("")
    lock = threading.Lock()

    class Passing(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            operation = self.headers["X-Amz-Target"].rpartition(".")[2]
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                front.asked[operation] += 1
                planned = front.failures.get(operation)
                failure = planned.popleft() if planned else None
            if failure is None:
                upstream = http.client.HTTPConnection(target)
                upstream.request("POST", self.path, body, dict(self.headers))
                answer = upstream.getresponse()
                self._answer(answer.status, answer.read(), answer.getheader("Content-Type", ""))
                upstream.close()
            elif failure[1]:
                told = json.dumps({"__type": failure[0], "message": "as the test wants it"})
                self._answer(failure[1], told.encode(), "application/x-amz-json-1.1")
            self.close_connection = True

        def _answer(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *told: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Passing)
    front.address = f"http://127.0.0.1:{server.server_port}"
    # What is between two looks at whether to stop is the time that a test takes to end.
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield front
    server.shutdown()
    server.server_close()
    thread.join()
