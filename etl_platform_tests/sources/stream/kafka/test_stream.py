"""A topic as a stream: ends, exact ranges, and what is told when they cannot be had."""

from __future__ import annotations

import pytest

from etl_platform.core.errors import PermanentError
from etl_platform.sources.stream import Range, StreamUnavailable
from etl_platform.sources.stream.kafka import KafkaOptions, KafkaStream
from etl_platform_tests.servers.kafka import KafkaServer, Message, MockCluster


def opened(server: KafkaServer, topic: str) -> KafkaStream:
    return KafkaStream(KafkaOptions(bootstrap_servers=server.address, topic=topic))


def test_exactly_the_messages_of_a_range_are_read(kafka_server: KafkaServer) -> None:
    topic = kafka_server.create(2)
    kafka_server.produce(topic, [Message(b"%d" % n, partition=n % 2) for n in range(40)])
    stream = opened(kafka_server, topic)
    batches = list(stream.read((Range("0", 4, 9), Range("1", None, 0))))
    found = {(row["partition"], row["position"]) for one in batches for row in one.to_pylist()}
    assert found == {("0", 5), ("0", 6), ("0", 7), ("0", 8), ("0", 9), ("1", 0)}


def test_partitions_of_several_brokers_are_read(kafka_mock: MockCluster) -> None:
    topic = kafka_mock.create()
    kafka_mock.produce(topic, [Message(b"%d" % n, partition=n % 4) for n in range(400)])
    stream = opened(kafka_mock, topic)
    ends = stream.ends(10).partitions
    assert {name: (end.earliest, end.latest) for name, end in ends.items()} == dict.fromkeys(
        "0123", (0, 99)
    )
    batches = list(stream.read(tuple(Range(name, None, 99) for name in ends)))
    values = [int(value) for one in batches for value in one.column("value").to_pylist()]
    assert sorted(values) == list(range(400))
    stream.close()


def test_a_topic_that_is_not_there_is_not_made_by_asking(kafka_server: KafkaServer) -> None:
    stream = opened(kafka_server, "never_made")
    for _ in range(2):
        with pytest.raises(PermanentError, match=r"no such topic.*\n.*create the topic"):
            stream.ends(5)
    stream.close()


def test_a_broker_that_is_not_there_is_unavailable() -> None:
    stream = opened(KafkaServer("127.0.0.1:1"), "any")
    with pytest.raises(StreamUnavailable, match=r"'any' at 127.0.0.1:1.*does not answer"):
        stream.ends(0.5)
    stream.close()
