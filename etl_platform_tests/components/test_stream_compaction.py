"""Compaction changes partitions and files, never rows, wherever it is killed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from etl_platform.components.stream_source.compacting import Compactor, Merged
from etl_platform.components.stream_source.options import Compaction
from etl_platform.core.duck import connect
from etl_platform.lakehouse import merging
from etl_platform.lakehouse.lake import checksum_sql
from etl_platform.metastore import StreamLog
from etl_platform_tests.components.conftest import Project
from etl_platform_tests.components.streams import ASSET, TABLE, Feed, failures, messages
from etl_platform_tests.servers.kafka import KafkaServer, Message

pytestmark = pytest.mark.stored_instance

PARTITIONS = dg.DynamicPartitionsDefinition(name=TABLE.sql)
COMPACTOR = Compactor((TABLE,), PARTITIONS, (ASSET,), Compaction(periods=["day"]))


class Killed(BaseException):
    """What kill -9 does, as far as the code around it can tell."""


@pytest.fixture
def feed(project: Project, kafka_server: KafkaServer) -> Feed:
    made = Feed(project, kafka_server, kafka_server.create(partitions=2))
    made.declare(batch={"max_rows": 4})
    made.produce([*messages(range(7), 2), Message(b"poison", None, 0)])
    return made


def compact(feed: Feed, compactor: Compactor = COMPACTOR) -> list[Merged]:
    later = datetime.now(UTC) + timedelta(days=2)
    return list(compactor.run(feed.project.lake, feed.log, feed.project.instance, later))


def content(feed: Feed) -> tuple[str, list[str]]:
    """The rows without the partition that they are in, and the dead letters."""
    lake = feed.project.lake
    columns = [name for name in lake.schema(TABLE).names if name != "_partition"]
    with connect(lake.settings) as con:
        rows = checksum_sql(con, lake.relation_sql(TABLE), columns)
    return rows, [f"{one['_value']} at {one['_source_position']}" for one in feed.dead_letters()]


def killing(function: Callable[..., object], *, after: bool) -> Callable[..., object]:
    def killed(*args: object, **kwargs: object) -> object:
        if after:
            function(*args, **kwargs)
        raise Killed

    return killed


def test_a_merge_that_is_killed_anywhere_is_completed_by_the_next(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = feed.catch_up()
    assert len(keys) == 2
    before = content(feed)
    record = feed.log.find(TABLE.sql, keys[0])
    instance, lake = feed.project.instance, feed.project.lake
    steps = [
        (StreamLog, "merge"),
        (merging, "merge_partitions"),
        (dg.DagsterInstance, "add_dynamic_partitions"),
        (dg.DagsterInstance, "report_runless_asset_event"),
        (dg.DagsterInstance, "delete_dynamic_partition"),
        (StreamLog, "finish"),
    ]
    for place, name in steps:
        for after in (False, True):
            with monkeypatch.context() as patch:
                patch.setattr(place, name, killing(getattr(place, name), after=after))
                with pytest.raises(Killed):
                    compact(feed)
            assert content(feed) == before, name
            if (name, after) == ("finish", True):
                break
    assert compact(feed) == []
    (merged,) = feed.log.partitions(TABLE.sql)
    assert merged.key.endswith("-day-000000-000001")
    assert instance.get_dynamic_partitions(TABLE.sql) == [merged.key]
    assert instance.get_materialized_partitions(ASSET) >= {merged.key}
    assert {f.partition_values["_partition"] for f in lake.files(TABLE)} == {merged.key}
    assert content(feed) == before
    # A replay of a batch that had looked before the merge: the table itself has the last word.
    instance.add_dynamic_partitions(TABLE.sql, keys[:1])
    with monkeypatch.context() as patch:
        patch.setattr(StreamLog, "find", lambda *_: record)
        (late,) = feed.load(keys[0])
    assert f"merged/{keys[0]} was committed before" in failures(late)
    assert content(feed) == before
    (replayed,) = feed.load(merged.key)
    assert replayed.success, failures(replayed)
    assert content(feed) == before
