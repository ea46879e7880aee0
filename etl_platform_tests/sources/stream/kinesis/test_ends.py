"""Looking for the ends of shards: exact, cheap, and honest about what nobody can know."""

from __future__ import annotations

import random

import pytest

from etl_platform.sources.stream import PositionsLost, Range
from etl_platform.sources.stream.cutting import LastCut
from etl_platform.sources.stream.kinesis import KinesisStream
from etl_platform_tests.servers.aws import AwsFront, KinesisServer
from etl_platform_tests.servers.kafka import Message
from etl_platform_tests.sources.stream.kinesis.drained import drain, next_batch, position_of


def opened(server: KinesisServer, name: str, **options: object) -> KinesisStream:
    return KinesisStream(server.options(name, **options))


def numbered(first: int, count: int, partition: int = 0) -> list[Message]:
    return [Message(b"%d" % n, b"k", partition) for n in range(first, first + count)]


def test_a_look_at_an_idle_stream_is_one_request_per_shard_and_none_for_finished_ones(
    kinesis_server: KinesisServer, aws_front: AwsFront
) -> None:
    name = kinesis_server.create(3)
    kinesis_server.produce(name, numbered(0, 10))
    kinesis_server.split(name, "shardId-000000000000")
    stream = opened(kinesis_server, name, endpoint_url=aws_front.address)
    _, _, last = drain(stream)
    assert last is not None
    aws_front.asked.clear()
    ends = stream.ends(20, position_of(last.ranges))
    assert dict(aws_front.asked) == {"DescribeStreamSummary": 1, "ListShards": 1, "GetRecords": 4}
    assert ends.partitions["shardId-000000000000"].closed
    kinesis_server.produce(name, numbered(0, 1))
    aws_front.asked.clear()
    assert next_batch(stream, last) is not None
    assert aws_front.asked["GetRecords"] == 4


def test_the_newest_message_is_found_after_a_long_silence(kinesis_server: KinesisServer) -> None:
    name = kinesis_server.create(1)
    kinesis_server.produce(name, numbered(0, 3))
    kinesis_server.age(name, 5_000)
    kinesis_server.produce(name, numbered(3, 1_700))
    kinesis_server.age(name, 20_000)
    (shard,) = kinesis_server.shards(name).values()
    (end,) = opened(kinesis_server, name).ends(20).partitions.values()
    assert end.latest == shard.get_max_sequence_number()
    assert end.earliest == shard.get_min_sequence_number()
    assert end.newest_at is not None


def test_a_backlog_is_cut_by_the_time_of_arrival_and_read_once(
    kinesis_server: KinesisServer,
) -> None:
    name = kinesis_server.create(2)
    for burst in range(6):
        kinesis_server.produce(name, numbered(burst * 20, 20, burst % 2))
        kinesis_server.age(name, 200)
    stream = opened(kinesis_server, name, batch_span_s=300)
    cuts, found, _ = drain(stream)
    assert len(cuts) >= 3
    assert sorted(map(int, found["value"].to_pylist())) == list(range(120))
    again = [value for batch in stream.read(cuts[1]) for value in batch["value"].to_pylist()]
    assert 0 < len(again) < 120


@pytest.mark.parametrize(
    "seed", [1, *(pytest.param(seed, marks=pytest.mark.stress) for seed in range(2, 9))]
)
def test_resharding_loses_nothing_and_keeps_the_order_of_each_key(
    kinesis_server: KinesisServer, seed: int
) -> None:
    chosen = random.Random(seed)
    name = kinesis_server.create(2)
    written: list[tuple[str, int]] = []

    def produce(count: int) -> None:
        records = []
        for _ in range(count):
            key = f"key-{chosen.randrange(12)}"
            records.append({"Data": b"%d" % len(written), "PartitionKey": key})
            written.append((key, len(written)))
        kinesis_server.put(name, records)

    def reshard() -> None:
        shards = kinesis_server.shards(name)
        opens = sorted(
            (one for one in shards.values() if one.is_open), key=lambda one: one.starting_hash
        )
        at = chosen.randrange(len(opens))
        if at + 1 < len(opens) and chosen.random() < 0.5:
            kinesis_server.merge(name, opens[at].shard_id, opens[at + 1].shard_id)
        else:
            kinesis_server.split(name, opens[at].shard_id)

    def meanwhile(batch: int) -> None:
        if batch < 5:
            produce(15)
            reshard()
            if batch % 2:
                reshard()
            produce(15)

    produce(40)
    cuts, found, _ = drain(opened(kinesis_server, name), between=meanwhile)
    rows = found.select(["key", "value"]).to_pylist()
    assert len(kinesis_server.shards(name)) >= 7
    for key in {key for key, _ in written}:
        values = [int(row["value"]) for row in rows if row["key"] == key.encode()]
        assert values == [number for one, number in written if one == key]
    assert len(rows) == len(written) == 190

    whole = {one.partition: one.through for ranges in cuts for one in ranges}
    merged = tuple(Range(shard, None, through) for shard, through in whole.items())
    together = [
        row
        for batch in opened(kinesis_server, name).read(merged)
        for row in batch.select(["key", "value"]).to_pylist()
    ]
    for key in {key for key, _ in written}:
        values = [int(row["value"]) for row in together if row["key"] == key.encode()]
        assert values == [number for one, number in written if one == key]


def test_from_latest_only_what_comes_later_is_taken(kinesis_server: KinesisServer) -> None:
    name = kinesis_server.create(2)
    kinesis_server.produce(name, numbered(0, 50))
    stream = opened(kinesis_server, name)
    begun = next_batch(stream, None, "latest")
    assert begun is not None
    assert list(stream.read(begun[0])) == []
    kinesis_server.produce(name, [*numbered(50, 5), *numbered(55, 5, 1)])
    _, found, _ = drain(stream, begun[1])
    assert sorted(map(int, found["value"].to_pylist())) == list(range(50, 60))


def test_what_retention_took_before_the_cut_is_told_unless_the_shard_was_watched(
    kinesis_server: KinesisServer,
) -> None:
    name = kinesis_server.create(1)
    kinesis_server.produce(name, numbered(0, 10))
    watching = opened(kinesis_server, name)
    _, _, last = drain(watching)
    assert last is not None
    kinesis_server.trim(name, "shardId-000000000000", 10)
    kinesis_server.produce(name, numbered(10, 2))
    after = position_of(last.ranges)
    (end,) = opened(kinesis_server, name).ends(20, after).partitions.values()
    assert end.gap_possible
    (end,) = watching.ends(20, after).partitions.values()
    assert not end.gap_possible


def test_what_retention_took_after_the_cut_is_never_passed_over(
    kinesis_server: KinesisServer,
) -> None:
    name = kinesis_server.create(1)
    kinesis_server.produce(name, numbered(0, 10))
    stream = opened(kinesis_server, name)
    found = next_batch(stream, LastCut(()))
    assert found is not None
    assert sum(batch.num_rows for batch in stream.read(found[0])) == 10
    kinesis_server.trim(name, "shardId-000000000000", 1)
    with pytest.raises(PositionsLost, match="the first that is still there is"):
        next(stream.read(found[0]))
    kinesis_server.trim(name, "shardId-000000000000", 9)
    with pytest.raises(PositionsLost, match="the last of them is gone"):
        next(stream.read(found[0]))
    (only,) = found[0]
    with pytest.raises(PositionsLost, match="has no shard shardId-000000000009 any more"):
        next(stream.read((Range("shardId-000000000009", None, only.through),)))


def test_children_wait_until_the_backlog_of_their_ancestors_is_taken(
    kinesis_server: KinesisServer,
) -> None:
    name = kinesis_server.create(1)
    for burst in range(3):
        kinesis_server.produce(name, numbered(burst * 10, 10))
        kinesis_server.age(name, 400)
    kinesis_server.split(name, "shardId-000000000000")
    # The shard between has no message of its own; the second of those that are open is its child.
    kinesis_server.split(name, "shardId-000000000001")
    kinesis_server.produce(name, numbered(30, 10, 1))
    cuts, found, _ = drain(opened(kinesis_server, name, batch_span_s=100))
    assert len(cuts) >= 3
    assert list(map(int, found["value"].to_pylist())) == list(range(40))
