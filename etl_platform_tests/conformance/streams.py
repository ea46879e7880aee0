"""The brokers that the suite of streams runs on: one line for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pytest

from etl_platform.sources.stream import Stream
from etl_platform.sources.stream.kafka import KafkaOptions, KafkaStream
from etl_platform_tests.servers.kafka import KafkaServer, Message


@dataclass(frozen=True)
class Broker:
    """What the suite asks of a broker: make streams, fill them, open them.

    Attributes:
        create: makes a stream with so many partitions and returns its name.
        delete: deletes it.
        produce: writes messages; ``partition`` is the n-th of the stream.
        open: the platform's view of it.
    """

    kind: str
    create: Callable[[int], str]
    recreate: Callable[[str, int], None]
    produce: Callable[[str, Iterable[Message]], None]
    open: Callable[[str], Stream]


def kafka(request: pytest.FixtureRequest) -> Broker:
    server: KafkaServer = request.getfixturevalue("kafka_server")

    def recreate(topic: str, partitions: int) -> None:
        server.delete(topic)
        server.create(partitions, topic)

    return Broker(
        "kafka",
        server.create,
        recreate,
        server.produce,
        lambda topic: KafkaStream(KafkaOptions(bootstrap_servers=server.address, topic=topic)),
    )


BROKERS: dict[str, Callable[[pytest.FixtureRequest], Broker]] = {"kafka": kafka}
