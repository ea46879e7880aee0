"""Windows over a stream, from a topic on a real broker to results, with real ticks and runs."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test
from pydantic import ValidationError
from typer.testing import CliRunner

from etl_platform.cli.app import app
from etl_platform.components.stream_source.compacting import Compactor
from etl_platform.components.stream_source.missing import ATTEMPTS, WINDOW_TAG, Missing, missing
from etl_platform.components.stream_source.options import Compaction, Looking
from etl_platform.components.stream_source.window_options import WindowOptions
from etl_platform.components.stream_source.windows import WindowAssets
from etl_platform.core.errors import ConfigError
from etl_platform.core.names import TableName
from etl_platform.metastore import Metastore
from etl_platform.monitoring.streams import WindowStatus, window_statuses
from etl_platform_tests.components.conftest import Project
from etl_platform_tests.components.streams import TABLE, Feed, failures
from etl_platform_tests.servers.kafka import KafkaServer, Message

pytestmark = pytest.mark.stored_instance

COLUMNS = {"id": "int64", "at": "timestamptz", "shop": "string"}
BASE = datetime(2026, 1, 1, tzinfo=UTC)
WINDOW = {
    "size": "1m",
    "event_time": "at",
    "keys": ["shop"],
    "aggregates": {"orders": "count", "total": {"sum": "id"}},
    "out_of_orderness": "10s",
}
RESULTS = TableName("shop", "per_minute")
PARTIALS_KEY = dg.AssetKey(["shop", "per_minute__partials"])
PARTIALS, OUTCOME = "shop/per_minute__partials", "shop/per_minute"


def order(number: int) -> Message:
    at = BASE + timedelta(seconds=number)
    body = {"id": number, "at": at.isoformat(), "shop": "ab"[number % 2]}
    return Message(json.dumps(body).encode(), None, number % 2)


@pytest.fixture
def feed(project: Project, kafka_server: KafkaServer) -> Feed:
    return Feed(project, kafka_server, kafka_server.create(partitions=2))


def run(feed: Feed, *assets: str, partition: str | None = None) -> dg.ExecuteInProcessResult:
    result = feed.project.materialize(*assets, partition=partition)
    assert result.success, failures(result)
    return result


def requested(feed: Feed, sensor: str) -> list[dg.RunRequest]:
    return list(feed.tick(sensor, cursor=sensor).run_requests or ())


def test_a_batch_is_aggregated_in_its_own_run_and_results_follow_what_is_aggregated(
    feed: Feed,
) -> None:
    feed.declare(
        decode={"format": "json", "columns": COLUMNS},
        batch={"max_rows": 100},
        windows={"per_minute": WINDOW},
    )
    feed.produce([order(number) for number in range(200)])
    batches = requested(feed, "shop_clicks_batches")
    keys = [one.partition_key or "" for one in batches]
    assert len(keys) == 2
    wanted = {key.to_user_string() for key in batches[0].asset_selection or ()}
    assert wanted == {"shop/clicks", PARTIALS}
    for key in reversed(keys):
        run(feed, *wanted, partition=key)
    (asked,) = requested(feed, "shop_per_minute_results")
    assert [key.to_user_string() for key in asked.asset_selection or ()] == [OUTCOME]
    (told,) = run(feed, OUTCOME).asset_materializations_for_node("shop__per_minute")
    assert told.metadata["batches"].value == 2
    assert told.metadata["watermark"].value == (BASE + timedelta(seconds=188)).timestamp()
    delay = told.metadata["watermark_delay_seconds"].value
    assert isinstance(delay, float)
    lake = feed.project.lake
    metastore = Metastore.open(lake.settings.metastore_url)
    moment = BASE + timedelta(seconds=200)
    assert window_statuses(lake, metastore.streams, TABLE.sql, moment) == (
        WindowStatus(RESULTS.sql, BASE + timedelta(seconds=188), delay_s=12.0, waiting=0),
    )
    shown = CliRunner().invoke(app, ["status"])
    assert re.search(rf"{RESULTS.sql} +2026-01-01 00:03:08", shown.output), shown.output
    before = lake.checksum(RESULTS)
    assert lake.info(RESULTS).rows == 6
    compactor = Compactor(
        (TABLE, *(TableName.parse(f"{OUTCOME}__{kind}") for kind in ("partials", "progress"))),
        dg.DynamicPartitionsDefinition(name=TABLE.sql),
        tuple(dg.AssetKey.from_user_string(key) for key in ("shop/clicks", PARTIALS)),
        Compaction(periods=["day"]),
    )
    later = datetime.now(UTC) + timedelta(days=2)
    (merged,) = compactor.run(lake, feed.log, feed.project.instance, later)
    assert merged.members == tuple(keys)
    run(feed, OUTCOME)
    assert lake.checksum(RESULTS) == before
    assert lake.info(TableName.parse(PARTIALS)).rows == 4 * 2


def test_a_batch_whose_aggregation_alone_failed_is_aggregated_by_the_next_look(feed: Feed) -> None:
    feed.declare(
        decode={"format": "json", "columns": COLUMNS},
        batch={"max_rows": 100},
        windows={"per_minute": WINDOW},
    )
    feed.produce([order(number) for number in range(200)])
    first, second = [one.partition_key or "" for one in requested(feed, "shop_clicks_batches")]
    run(feed, "shop/clicks", PARTIALS, partition=second)
    run(feed, "shop/clicks", partition=first)  # and its aggregation does not come about
    again, results = requested(feed, "shop_per_minute_results")
    assert (again.partition_key, again.asset_selection) == (first, [PARTIALS_KEY])
    assert results.partition_key is None
    instance, window = feed.project.instance, again.tags[WINDOW_TAG]

    def look() -> Missing:
        return missing(instance, feed.log, TABLE.sql, window, {second}, at_once=1)

    for attempt in range(ATTEMPTS):
        assert look().request == {first: f"{window}/{first}/{attempt}"}
        busy = create_run_for_test(instance, tags={**again.tags, "dagster/partition": first})
        assert look() == Missing({}, at_work=(first,), given_up=())
        instance.report_run_failed(busy)
    assert look() == Missing({}, at_work=(), given_up=(first,))
    run(feed, PARTIALS, partition=first)
    (asked,) = requested(feed, "shop_per_minute_results")
    assert asked.asset_selection == [dg.AssetKey.from_user_string(OUTCOME)]


def test_windows_are_refused_where_they_are_declared() -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        WindowOptions.model_validate({**WINDOW, "size": "soon"})
    with pytest.raises(ValueError, match="'every' goes with hopping"):
        WindowOptions.model_validate({**WINDOW, "every": "10s"})
    with pytest.raises(ValueError, match="aggregate 'x' is 'sum'"):
        WindowOptions.model_validate({**WINDOW, "aggregates": {"x": "sum"}})
    impossible = {"late": "update", "deduplicate": {"keys": ["id"], "horizon": "1h"}}
    with pytest.raises(ValidationError, match="deduplicate needs late: dead_letter") as refused:
        WindowOptions.model_validate({**WINDOW, **impossible})
    (told,) = refused.value.errors()
    assert told["msg"].endswith(
        "window 'window': keys can only be forgotten when late events are refused: deduplicate "
        "needs late: dead_letter"
    )


def test_a_window_over_rows_that_do_not_tell_their_message_is_refused() -> None:
    partitions = dg.DynamicPartitionsDefinition(name=TABLE.sql)
    said = WindowOptions.model_validate(WINDOW)
    with pytest.raises(ConfigError, match="remove source: false"):
        WindowAssets(TABLE, "per_minute", said, partitions, "shop", False, Looking())
