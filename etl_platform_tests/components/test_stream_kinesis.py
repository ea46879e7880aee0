"""A data stream of Kinesis from its shards to its table, through ticks, runs and resharding."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from etl_platform_tests.components.conftest import Project
from etl_platform_tests.components.streams import COLUMNS, TABLE, Feed, failures, messages
from etl_platform_tests.servers.aws import CREDENTIALS, REGION, KinesisServer

pytestmark = pytest.mark.stored_instance


@dataclass
class KinesisFeed(Feed):
    """One data stream from its shards to its table."""

    kinesis: KinesisServer | None = None

    def declare(self, **options: object) -> None:
        assert self.kinesis is not None
        stream = {
            "topic": self.topic,
            "decode": {"format": "json", "columns": COLUMNS},
            **options,
        }
        attributes = {
            "target_schema": "shop",
            "kinesis": {
                "region": REGION,
                "endpoint_url": self.kinesis.aws.address,
                "batch_span_s": 300,
                **CREDENTIALS,
            },
            "retry": {"attempts": 0, "delay_s": 0},
            "streams": {"clicks": stream},
        }
        self.project.write(
            "shop/defs.yaml",
            {"type": "etl_platform.StreamSourceComponent", "attributes": attributes},
        )


@pytest.mark.stress
def test_shards_become_rows_once_while_they_are_split_and_replays_know_what_is_lost(
    project: Project, kinesis_server: KinesisServer
) -> None:
    name = kinesis_server.create(2)
    feed = KinesisFeed(project, None, name, kinesis=kinesis_server)  # type: ignore[arg-type] - no Kafka
    feed.declare()
    kinesis_server.produce(name, messages(range(20), 2))
    kinesis_server.age(name, 1_000)
    kinesis_server.produce(name, messages(range(20, 40), 2))
    kinesis_server.split(name, "shardId-000000000000")
    kinesis_server.produce(name, messages(range(40, 60), 2))
    keys = feed.catch_up()
    assert len(keys) == 3
    assert feed.ids() == list(range(60))
    before = project.lake.checksum(TABLE)
    assert all(one.success for one in feed.load(*reversed(keys)))
    assert project.lake.checksum(TABLE) == before

    kinesis_server.trim(name, "shardId-000000000000", 1)
    (lost,) = feed.load(keys[0])
    assert not lost.success
    assert "the first that is still there is" in failures(lost)
    assert project.lake.checksum(TABLE) == before
