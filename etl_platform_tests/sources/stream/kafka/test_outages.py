"""Brokers that go away while they are read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from etl_platform.sources.stream import PositionsLost, Range, ReadLimits, StreamUnavailable
from etl_platform.sources.stream.kafka import KafkaOptions, KafkaStream
from etl_platform_tests.servers.gateway import Gateway, gateway
from etl_platform_tests.servers.kafka import KafkaServer, Message, free_port, serving

COUNT = 20_000
SLOWLY = {
    # So little is fetched ahead that most is still with the broker after the first batch.
    "queued.min.messages": 10,
    "queued.max.messages.kbytes": 16,
    "fetch.message.max.bytes": 10_000,
    "reconnect.backoff.max.ms": 200,
}


@pytest.fixture
def door(tmp_path: Path) -> Iterator[tuple[KafkaServer, Gateway]]:
    """A broker that is reached through a gateway."""
    own, shown = free_port(), free_port()
    with serving(tmp_path, port=own, advertised=shown) as server, gateway(own, shown) as way:
        yield server, way


def filled(server: KafkaServer) -> str:
    topic = server.create(2)
    written = (Message(b"%d" % n, b"k" * 50, n % 2) for n in range(COUNT))
    server.produce(topic, written, batch_num_messages=100)
    return topic


def slow(server: KafkaServer, topic: str) -> KafkaStream:
    return KafkaStream(KafkaOptions(bootstrap_servers=server.address, topic=topic, settings=SLOWLY))


def values(batches: list[pa.RecordBatch]) -> list[int]:
    return sorted(int(one) for batch in batches for one in batch.column("value").to_pylist())


WHOLE = (Range("0", None, COUNT // 2 - 1), Range("1", None, COUNT // 2 - 1))


def test_reading_goes_on_after_connections_broke(door: tuple[KafkaServer, Gateway]) -> None:
    server, way = door
    reading = slow(server, filled(server)).read(WHOLE, ReadLimits(batch_rows=500))
    batches = [next(reading)]
    for _ in range(3):
        way.shut()
        way.open()
        batches.append(next(reading))
    batches += reading
    assert values(batches) == list(range(COUNT))


def test_ends_are_known_again_as_soon_as_the_broker_is_back(
    door: tuple[KafkaServer, Gateway],
) -> None:
    server, way = door
    stream = slow(server, filled(server))
    before = stream.ends(10)
    way.shut()
    with pytest.raises(StreamUnavailable, match="when asked for its ends"):
        stream.ends(0.5)
    way.open()
    assert stream.ends(10) == before
    stream.close()


def test_silence_for_too_long_is_told_as_a_broker_that_is_away(
    door: tuple[KafkaServer, Gateway],
) -> None:
    server, way = door
    stream = slow(server, filled(server))
    reading = stream.read(WHOLE, ReadLimits(batch_rows=500, idle_timeout_s=0.5))
    batches = [next(reading)]
    way.shut()
    with pytest.raises(StreamUnavailable, match="does not answer while reading"):
        batches.extend(reading)
    assert len(values(batches)) == len(set(values(batches))) < COUNT


def test_a_broker_that_lost_its_data_is_not_read_as_if_nothing_had_been(tmp_path: Path) -> None:
    port = free_port()
    with serving(tmp_path, port=port) as server:
        topic = filled(server)
        reading = slow(server, topic).read(WHOLE, ReadLimits(batch_rows=500, idle_timeout_s=3))
        next(reading)
    with serving(tmp_path, port=port) as server:
        server.create(2, topic)
        written = (Message(b"%d" % -n, b"k" * 50, n % 2) for n in range(COUNT + 200))
        server.produce(topic, written, batch_num_messages=100)
        with pytest.raises(PositionsLost, match="made again while it was read"):
            list(reading)
