"""Positions that are gone, and positions that never held a message."""

from __future__ import annotations

from uuid import uuid4

import pytest
from confluent_kafka import Producer

from etl_platform.core.errors import PermanentError
from etl_platform.sources.stream import PositionsLost, Range, ReadLimits
from etl_platform.sources.stream.kafka import KafkaOptions, KafkaStream
from etl_platform_tests.servers.kafka import KafkaServer, Message, MockCluster

KIB = b"x" * 1024


def opened(server: KafkaServer, topic: str, **settings: int) -> KafkaStream:
    given = {name.replace("_", "."): value for name, value in settings.items()}
    return KafkaStream(
        KafkaOptions(bootstrap_servers=server.address, topic=topic, settings=dict(given))
    )


def test_what_retention_removed_is_told_before_anything_is_read(kafka_mock: MockCluster) -> None:
    topic = kafka_mock.create()
    kafka_mock.produce(topic, [Message(KIB) for _ in range(100)])
    stream = opened(kafka_mock, topic)
    assert stream.ends(10).partitions["0"].earliest == 0
    kafka_mock.produce(topic, [Message(KIB) for _ in range(6_000)])
    end = stream.ends(10).partitions["0"]
    assert end.earliest is not None
    assert end.latest == 6_099
    lost = rf"partition 0: .* from 10 through 6099 .* first that is still there is {end.earliest}"
    with pytest.raises(PositionsLost, match=lost):
        next(stream.read((Range("0", 9, end.latest),)))
    with pytest.raises(PositionsLost):
        next(stream.read((Range("0", None, 50),)))
    left = list(stream.read((Range("0", end.earliest - 1, end.latest),)))
    assert sum(batch.num_rows for batch in left) == end.latest - end.earliest + 1


def test_what_retention_removes_while_it_is_read_is_told(kafka_mock: MockCluster) -> None:
    topic = kafka_mock.create()
    kafka_mock.produce(topic, [Message(b"%d" % n + KIB) for n in range(4_000)])
    stream = opened(
        kafka_mock,
        topic,
        queued_min_messages=1,
        queued_max_messages_kbytes=1,
        fetch_message_max_bytes=4_096,
    )
    reading = stream.read((Range("0", None, 3_999),), ReadLimits(batch_rows=10))
    first = next(reading)
    assert first.column("position").to_pylist() == list(range(10))
    kafka_mock.produce(topic, [Message(KIB) for _ in range(6_000)])
    given: list[int] = []
    with pytest.raises(PositionsLost, match="gone before they could be read"):  # noqa: PT012
        for batch in reading:  # what was given before it is told is right
            given += batch.column("position").to_pylist()
    assert given == list(range(10, 10 + len(given)))


def test_a_range_beyond_the_end_is_not_waited_for(kafka_server: KafkaServer) -> None:
    topic = kafka_server.create()
    kafka_server.produce(topic, [Message(b"1"), Message(b"2")])
    with pytest.raises(PositionsLost, match=r"through 7 .* ends before 2"):
        next(opened(kafka_server, topic).read((Range("0", 1, 7),)))


def test_a_partition_that_is_not_there_is_told(kafka_server: KafkaServer) -> None:
    topic = kafka_server.create(2)
    for name in ("2", "shard-0"):
        with pytest.raises(PermanentError, match=rf"partition {name}: .*no such.*\n.*0 to 1"):
            next(opened(kafka_server, topic).read((Range(name, None, 7),)))


def test_markers_of_transactions_are_passed_over_also_at_the_end_of_a_range(
    kafka_server: KafkaServer,
) -> None:
    topic = kafka_server.create()
    producer = Producer(
        {"bootstrap.servers": kafka_server.address, "transactional.id": uuid4().hex}
    )
    producer.init_transactions(20)
    for number in range(3):
        producer.begin_transaction()
        for _ in range(3):
            producer.produce(topic, b"%d" % number, partition=0)
        producer.flush(20)
        producer.commit_transaction(20)
    # The end is told at once: together with the messages before it.
    stream = opened(kafka_server, topic, fetch_wait_max_ms=1)
    for through, wanted in ((11, [0, 1, 2, 4, 5, 6, 8, 9, 10]), (7, [0, 1, 2, 4, 5, 6])):
        limits = ReadLimits(idle_timeout_s=5)
        batches = list(stream.read((Range("0", None, through),), limits))
        assert [n for one in batches for n in one.column("position").to_pylist()] == wanted
    assert list(stream.read((Range("0", 6, 7),), limits)) == []
