"""The log of stream batches: each number is cut once, merged ones are still known."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from etl_platform.core.settings import Settings
from etl_platform.metastore import Metastore, StreamBatchRecord, StreamStateRecord


@pytest.fixture
def metastore(settings: Settings) -> Iterator[Metastore]:
    opened = Metastore.open(settings.metastore_url)
    yield opened
    opened.close()


def batch(number: int, key: str | None = None) -> StreamBatchRecord:
    return StreamBatchRecord(
        stream="shop.clicks", number=number, key=key or f"batch-{number}", ranges="[]"
    )


def test_only_one_of_two_processes_cuts_a_number(metastore: Metastore) -> None:
    assert metastore.streams.add(batch(0, "mine"))
    assert not metastore.streams.add(batch(0, "theirs"))
    assert [one.key for one in metastore.streams.batches("shop.clicks")] == ["mine"]


def test_batches_are_told_in_order_and_by_key(metastore: Metastore) -> None:
    for number in range(3):
        metastore.streams.add(batch(number))
    newest = metastore.streams.newest("shop.clicks")
    assert newest is not None
    assert newest.number == 2
    assert [one.number for one in metastore.streams.batches("shop.clicks", after=0)] == [1, 2]
    assert metastore.streams.newest("shop.others") is None
    assert metastore.streams.find("shop.clicks", "batch-1") is not None


def test_merged_batches_give_way_to_their_partition_and_stay_known(metastore: Metastore) -> None:
    for number in range(4):
        metastore.streams.add(batch(number))
    day = batch(1, "2026-01-01").model_copy(update={"kind": "merged"})
    metastore.streams.merge(day, ["batch-0", "batch-1"])
    later = day.model_copy(update={"number": 2})
    metastore.streams.merge(later, ["batch-2"])
    keys = [one.key for one in metastore.streams.partitions("shop.clicks")]
    assert keys == ["2026-01-01", "batch-3"]
    found = metastore.streams.find("shop.clicks", "batch-0")
    assert found is not None
    assert found.merged_into == "2026-01-01"
    assert [one.number for one in metastore.streams.batches("shop.clicks")] == [0, 1, 2, 3]


def test_a_batch_is_finished_once_and_its_outcome_is_the_newest(metastore: Metastore) -> None:
    for number in range(2):
        metastore.streams.add(batch(number))
    metastore.streams.finish("shop.clicks", "batch-0", '{"rows": 1}')
    first = metastore.streams.find("shop.clicks", "batch-0")
    metastore.streams.finish("shop.clicks", "batch-0", '{"rows": 2}')
    second = metastore.streams.find("shop.clicks", "batch-0")
    assert first is not None
    assert second is not None
    assert first.finished_at == second.finished_at
    assert second.outcome == '{"rows": 2}'
    assert [one.key for one in metastore.streams.unfinished("shop.clicks")] == ["batch-1"]


def test_members_of_a_merged_partition_are_known(metastore: Metastore) -> None:
    for number in range(3):
        metastore.streams.add(batch(number))
    hour = batch(1, "hour").model_copy(update={"kind": "merged"})
    metastore.streams.merge(hour, ["batch-0", "batch-1"])
    assert [one.key for one in metastore.streams.members("shop.clicks", "hour")] == [
        "batch-0",
        "batch-1",
    ]


def test_the_newest_look_at_a_stream_replaces_the_one_before(metastore: Metastore) -> None:
    metastore.streams.looked(StreamStateRecord(stream="shop.clicks", ends='{"0":"5"}'))
    metastore.streams.looked(StreamStateRecord(stream="shop.clicks", ends='{"0":"9"}'))
    state = metastore.streams.state("shop.clicks")
    assert state is not None
    assert state.ends == '{"0":"9"}'
    assert len(metastore.streams.states()) == 1
    assert metastore.streams.state("shop.others") is None


def test_merged_partitions_may_be_merged_into_one_that_ends_with_the_same_batch(
    metastore: Metastore,
) -> None:
    for number in range(2):
        metastore.streams.add(batch(number))
    hour = batch(1, "hour").model_copy(update={"kind": "merged"})
    metastore.streams.merge(hour, ["batch-1"])
    metastore.streams.merge(hour.model_copy(update={"key": "day"}), ["batch-0", "hour"])
    assert [one.key for one in metastore.streams.partitions("shop.clicks")] == ["day"]
    assert not metastore.streams.add(batch(1, "again"))
