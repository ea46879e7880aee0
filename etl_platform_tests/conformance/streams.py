"""The brokers that the suite of streams runs on: one line for each in ``BROKERS``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import pytest

from etl_platform.sources.stream import Stream
from etl_platform.sources.stream.kafka import KafkaOptions, KafkaStream
from etl_platform.sources.stream.kinesis import KinesisStream
from etl_platform_tests.servers.aws import KinesisServer
from etl_platform_tests.servers.kafka import KafkaServer, Message


@dataclass(frozen=True)
class Broker:
    """What the suite asks of a broker.

    Attributes:
        create: makes a stream with so many partitions and returns its name.
        delete: deletes it.
        recreate: makes a stream of a name that was deleted.
        produce: writes messages in their order and waits for them; ``partition`` is the n-th of
            the stream.
        open: the platform's view of it.
        compressed: how to write with a compression, by its name; empty where clients have none.
        tombstones: a message without value, empty keys, and headers can be written.
        raw_keys: keys may be any bytes, else text.
        largest: bytes of the largest message, and ``many_large`` how many of them are a lot.
    """

    create: Callable[[int], str]
    delete: Callable[[str], None]
    recreate: Callable[[str, int], object]
    produce: Callable[[str, Iterable[Message]], None]
    open: Callable[[str], Stream]
    compressed: Mapping[str, Callable[[str, Iterable[Message]], None]] = field(
        default_factory=dict[str, Callable[[str, Iterable[Message]], None]]
    )
    tombstones: bool = True
    raw_keys: bool = True
    largest: int = 1 << 20
    many_large: int = 40


def kafka(request: pytest.FixtureRequest) -> Broker:
    """Tansu."""
    server: KafkaServer = request.getfixturevalue("kafka_server")

    def produce_as(codec: str) -> Callable[[str, Iterable[Message]], None]:
        return lambda topic, messages: server.produce(topic, messages, compression_type=codec)

    return Broker(
        create=server.create,
        delete=server.delete,
        recreate=lambda topic, partitions: server.create(partitions, topic),
        produce=server.produce,
        open=lambda topic: KafkaStream(KafkaOptions(bootstrap_servers=server.address, topic=topic)),
        compressed={codec: produce_as(codec) for codec in ("gzip", "snappy", "lz4", "zstd")},
    )


def kinesis(request: pytest.FixtureRequest) -> Broker:
    """moto."""
    server: KinesisServer = request.getfixturevalue("kinesis_server")
    return Broker(
        create=server.create,
        delete=server.delete,
        recreate=lambda name, shards: server.create(shards, name),
        produce=server.produce,
        open=lambda name: KinesisStream(server.options(name)),
        tombstones=False,
        raw_keys=False,
        many_large=11,
    )


BROKERS: dict[str, Callable[[pytest.FixtureRequest], Broker]] = {
    "kafka": kafka,
    "kinesis": kinesis,
}
CODECS = ("gzip", "snappy", "lz4", "zstd")
