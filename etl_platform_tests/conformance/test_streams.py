"""One suite for every broker: exact ranges, each message once, nothing passed over in silence."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl_platform.core.errors import PermanentError
from etl_platform.sources.stream import (
    PositionsLost,
    Range,
    Ranges,
    ReadLimits,
    Stream,
    StreamEnds,
    message_schema,
)
from etl_platform_tests.conformance.streams import BROKERS, CODECS, Broker
from etl_platform_tests.servers.kafka import Message

Opened = Callable[[str], Stream]


@pytest.fixture(params=BROKERS)
def broker(request: pytest.FixtureRequest) -> Broker:
    return BROKERS[request.param](request)


@pytest.fixture
def opened(broker: Broker) -> Iterator[Opened]:
    streams: list[Stream] = []

    def make(name: str) -> Stream:
        streams.append(broker.open(name))
        return streams[-1]

    yield make
    for stream in streams:
        stream.close()


def everything(ends: StreamEnds) -> Ranges:
    """All that there is, from the beginning."""
    return tuple(
        Range(name, None, end.latest)
        for name, end in ends.partitions.items()
        if end.latest is not None
    )


def table(stream: Stream, ranges: Ranges, limits: ReadLimits | None = None) -> pa.Table:
    """The messages of ranges, by partition in the order in which they came."""
    schema = message_schema(stream.info.position)
    batches = list(stream.read(ranges, limits))
    return pa.Table.from_batches(batches, schema).sort_by("partition")


def test_messages_arrive_as_they_were_written(broker: Broker, opened: Opened) -> None:
    name = broker.create(2)
    written = [
        Message(b"one", b"k", 0, timestamp_ms=1_700_000_000_123),
        Message(b"", b"k", 0),
        Message(bytes(range(256)), b"\xff\x00" if broker.raw_keys else "naïve ☃".encode(), 0),
        Message(b"last", b"k", 0),
        Message(b"other", b"j", 1),
    ]
    broker.produce(name, written)
    stream = opened(name)
    found = table(stream, everything(stream.ends(10)))
    assert found.schema == message_schema(stream.info.position)
    names = sorted(stream.ends(10).partitions)
    assert found["partition"].to_pylist() == [names[0]] * 4 + [names[1]]
    assert found["value"].to_pylist() == [one.value for one in written]
    assert found["key"].to_pylist() == [one.key for one in written]
    assert found["timestamp"].null_count == 0


def test_nothing_is_not_empty(broker: Broker, opened: Opened) -> None:
    if not broker.tombstones:
        return
    name = broker.create(1)
    written = [
        Message(None, b"gone"),
        Message(b"", b""),
        Message(b"v", None),
        Message(b"h", b"k", headers=(("trace", b"1"), ("trace", None), ("naïve ☃", b""))),
        Message(None, None, timestamp_ms=1_700_000_000_123),
    ]
    broker.produce(name, written)
    stream = opened(name)
    found = table(stream, everything(stream.ends(10))).to_pylist()
    assert [(row["key"], row["value"]) for row in found] == [
        (one.key, one.value) for one in written
    ]
    assert [row["headers"] for row in found] == [
        [{"name": name, "value": value} for name, value in one.headers] or None for one in written
    ]
    assert found[-1]["timestamp"].timestamp() == 1_700_000_000.123


@pytest.mark.parametrize("codec", CODECS)
def test_a_compression_changes_nothing(broker: Broker, opened: Opened, codec: str) -> None:
    if not broker.compressed:
        return
    name = broker.create(1)
    written = [Message(b'{"n": %d, "text": "%s"}' % (n, b"ab" * 40)) for n in range(500)]
    broker.compressed[codec](name, written)
    stream = opened(name)
    found = table(stream, everything(stream.ends(10)))
    assert found["value"].to_pylist() == [one.value for one in written]


def test_large_messages_come_whole_in_batches_of_bounded_bytes(
    broker: Broker, opened: Opened
) -> None:
    name = broker.create(1)
    noise = random.Random(7)
    size = broker.largest - 1_000
    small = [Message(b"%d" % n) for n in range(20)]
    large = [Message(noise.randbytes(size)) for _ in range(broker.many_large)]
    broker.produce(name, [*small, *large])
    stream = opened(name)
    batches = list(stream.read(everything(stream.ends(10))))
    assert max(batch.nbytes for batch in batches) < 36 * size
    values = [value for batch in batches for value in batch.column("value").to_pylist()]
    assert values == [one.value for one in (*small, *large)]


def test_an_empty_stream_has_no_messages_and_no_ends(broker: Broker, opened: Opened) -> None:
    stream = opened(broker.create(3))
    ends = stream.ends(10)
    assert [(end.earliest, end.latest) for end in ends.partitions.values()] == [(None, None)] * 3
    assert list(stream.read(())) == []
    assert list(stream.read((Range(next(iter(ends.partitions)), 5, 5),))) == []


def test_all_of_64_partitions_are_read(broker: Broker, opened: Opened) -> None:
    name = broker.create(64)
    broker.produce(name, [Message(b"%d" % n, b"k", n % 63) for n in range(2_000)])
    stream = opened(name)
    ends = stream.ends(10)
    assert len(ends.partitions) == 64
    assert sum(end.latest is None for end in ends.partitions.values()) == 1
    found = table(stream, everything(ends))
    assert sorted(map(int, found["value"].to_pylist())) == list(range(2_000))


def test_any_split_of_ranges_gives_each_message_once(broker: Broker, opened: Opened) -> None:
    name = broker.create(3)
    broker.produce(name, [Message(b"%d" % n, b"k", n * n % 3) for n in range(400)])
    stream = opened(name)
    whole = table(stream, everything(stream.ends(10)))
    positions = {
        part: whole.filter(pa.compute.equal(whole["partition"], part))["position"].to_pylist()
        for part in whole["partition"].unique().to_pylist()
    }

    @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def split(data: st.DataObject) -> None:
        batches: list[list[Range]] = [[], [], []]
        for part, known in positions.items():
            inner = st.lists(st.sampled_from(known), min_size=2, max_size=2)
            cuts = [None, *sorted(map(int, data.draw(inner))), int(known[-1])]
            for batch, (after, through) in zip(batches, pairwise(cuts), strict=True):
                assert through is not None
                batch.append(Range(part, after, through))
        limits = ReadLimits(batch_rows=data.draw(st.sampled_from([7, 65_536])))
        tables = [table(stream, tuple(ranges), limits) for ranges in batches]
        assert pa.concat_tables(tables).sort_by("partition").equals(whole)

    split()


def test_reading_again_gives_the_same(broker: Broker, opened: Opened) -> None:
    name = broker.create(4)
    broker.produce(name, [Message(b"%d" % n, b"%d" % n, n % 4) for n in range(3_000)])
    stream = opened(name)
    ranges = everything(stream.ends(10))
    first = table(stream, ranges)
    broker.produce(name, [Message(b"later", b"k", n % 4) for n in range(100)])
    assert table(stream, ranges).equals(first)
    assert table(opened(name), ranges).equals(first)


def test_batches_have_no_more_rows_than_asked_for(broker: Broker, opened: Opened) -> None:
    name = broker.create(2)
    broker.produce(name, [Message(b"%d" % n, b"k", n % 2) for n in range(300)])
    stream = opened(name)
    rows = [
        batch.num_rows
        for batch in stream.read(everything(stream.ends(10)), ReadLimits(batch_rows=16))
    ]
    assert sum(rows) == 300
    assert max(rows) <= 16


def test_a_reader_may_stop_in_the_middle(broker: Broker, opened: Opened) -> None:
    name = broker.create(1)
    broker.produce(name, [Message(b"%d" % n) for n in range(300)])
    stream = opened(name)
    ranges = everything(stream.ends(10))
    reading = stream.read(ranges, ReadLimits(batch_rows=16))
    next(reading)
    reading.close()  # type: ignore[attr-defined] - a generator
    assert table(stream, ranges).num_rows == 300


def test_a_stream_that_does_not_exist_is_told(broker: Broker, opened: Opened) -> None:
    stream = opened("never-made")
    with pytest.raises(PermanentError, match="never-made"):
        stream.ends(10)
    with pytest.raises(PermanentError, match="never-made"):
        list(stream.read((Range("0", None, 5),)))


def test_a_stream_that_was_made_again_is_another(broker: Broker, opened: Opened) -> None:
    name = broker.create(1)
    broker.produce(name, [Message(b"%d" % n) for n in range(50)])
    stream = opened(name)
    before = stream.ends(10)
    broker.delete(name)
    broker.recreate(name, 1)
    broker.produce(name, [Message(b"new"), Message(b"new")])
    after = stream.ends(10)
    assert before.incarnation != after.incarnation == stream.incarnation(10)
    with pytest.raises(PositionsLost, match="made again"):
        list(stream.read(everything(before), ReadLimits(idle_timeout_s=5)))
