"""Streams, from a topic on a real broker to rows in the lake, with real ticks and runs."""

from __future__ import annotations

import random
import re

import pytest

from etl_platform_tests.components.conftest import Project
from etl_platform_tests.components.streams import COLUMNS, TABLE, Feed, failures, message, messages
from etl_platform_tests.servers.kafka import KafkaServer, Message, MockCluster

pytestmark = pytest.mark.stored_instance

POSITIVE = {"rules": [{"rule": "range", "column": "amount", "max": 50, "action": "quarantine"}]}


@pytest.fixture
def feed(project: Project, kafka_server: KafkaServer) -> Feed:
    return Feed(project, kafka_server, kafka_server.create(partitions=2))


def test_messages_become_rows_once_and_replays_change_nothing(feed: Feed) -> None:
    feed.declare(batch={"max_rows": 40})
    feed.produce(messages(range(100), 2))
    keys = feed.catch_up()
    assert len(keys) == 3
    assert feed.ids() == list(range(100))
    assert feed.project.instance.get_dynamic_partitions(TABLE.sql) == keys
    before = feed.project.lake.checksum(TABLE)
    random.Random("replay").shuffle(keys)
    assert all(one.success for one in feed.load(*keys))
    assert feed.project.lake.checksum(TABLE) == before
    note = feed.project.lake.annotation(TABLE, "stream:ranges")
    assert note is not None
    assert keys[-1] in note


def test_poison_and_refused_messages_wait_in_dead_letters_until_they_are_good(feed: Feed) -> None:
    feed.declare(contract=POSITIVE)
    poison = Message(b"{no json", b"k", 0, (("trace", b"7"),))
    feed.produce([*messages(range(10), 2), poison, message(99, 1)])
    (key,) = feed.catch_up()
    assert feed.ids() == list(range(10))
    broken, refused = sorted(feed.dead_letters(), key=lambda one: str(one["_rule"]))
    assert broken["_value"] == b"{no json"
    assert broken["_headers"] == [{"name": "trace", "value": b"7"}]
    assert (broken["_source_partition"], broken["_source_position"]) == ("0", 5)
    assert (broken["_rule"], broken["_partition"]) == ("decode", key)
    assert refused["_value"] == message(99).value
    assert refused["_rule"] == "range_amount"
    (batch,) = feed.log.partitions(TABLE.sql)
    assert batch.outcome is not None
    assert '"messages":12,"rows":10,"dead_letters":2' in batch.outcome
    # The contract is put right; the bytes that were kept are enough, without the broker.
    feed.declare()
    (again,) = feed.load(key, from_dead_letters=True)
    assert again.success, failures(again)
    assert feed.ids() == [*range(10), 99]
    assert [one["_value"] for one in feed.dead_letters()] == [b"{no json"]


def test_a_partition_that_was_never_cut_is_refused_by_name(feed: Feed) -> None:
    feed.declare()
    feed.project.instance.add_dynamic_partitions(TABLE.sql, ["by-hand"])
    (result,) = feed.load("by-hand")
    assert not result.success
    assert "shop.clicks: unknown batch 'by-hand'" in failures(result)


def test_what_retention_took_is_told_and_only_left_out_when_that_is_accepted(
    project: Project, kafka_mock: MockCluster
) -> None:
    feed = Feed(project, kafka_mock, kafka_mock.create())
    feed.declare()
    feed.produce(messages(range(100)))
    (key,) = feed.keys(feed.tick())
    # A partition of this cluster keeps its newest 5 MB.
    wide = [Message(b'{"id": %d, "pad": "%s"}' % (n, b"x" * 50_000)) for n in range(100, 300)]
    feed.produce(wide)
    (lost,) = feed.load(key)
    assert not lost.success
    assert "the first that is still there is" in failures(lost)
    assert not feed.project.lake.exists(TABLE)
    (second,) = feed.keys(feed.tick())
    batch = feed.log.find(TABLE.sql, second)
    assert batch is not None
    told = re.search(r"retention removed (\d+) positions \(100 to (\d+)\)", batch.note or "")
    assert told is not None
    assert int(told[1]) == int(told[2]) - 99
    (accepted,) = feed.load(key, accept_lost=True)
    assert accepted.success, failures(accepted)
    (event,) = accepted.asset_materializations_for_node("shop__clicks")
    assert event.metadata["note"].value == "partition 0: positions 0 to 99 are gone"
    (rest,) = feed.load(second)
    assert rest.success, failures(rest)
    assert feed.ids() == list(range(int(told[2]) + 1, 300))
    (shrunk,) = feed.load(second, accept_lost=True)
    assert "would take rows away" in failures(shrunk)


def test_streams_of_one_component_have_sensors_and_partitions_of_their_own(
    project: Project, kafka_server: KafkaServer
) -> None:
    topics = {name: kafka_server.create() for name in ("clicks", "views")}
    decode = {"format": "json", "columns": COLUMNS}
    project.write(
        "shop/defs.yaml",
        {
            "type": "etl_platform.StreamSourceComponent",
            "attributes": {
                "target_schema": "shop",
                "kafka": {"bootstrap_servers": kafka_server.address},
                "defaults": {"decode": decode, "batch": {"max_rows": 2}},
                "streams": {name: {"topic": topic} for name, topic in topics.items()},
            },
        },
    )
    kafka_server.produce(topics["clicks"], messages(range(4)))
    kafka_server.produce(topics["views"], messages(range(2)))
    feed = Feed(project, kafka_server, topics["clicks"])
    assert len(feed.keys(feed.tick("shop_clicks_batches", "clicks"))) == 2
    assert len(feed.keys(feed.tick("shop_views_batches", "views"))) == 1
    assert len(project.instance.get_dynamic_partitions("shop.views")) == 1
