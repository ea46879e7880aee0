"""The sensor of one stream: a look at the broker becomes partitions and runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import dagster as dg

from etl_platform.components.assets import LAKE_KEY
from etl_platform.components.stream_source.lost_runs import STREAM_TAG, Again, runs_of
from etl_platform.components.timing import parse_duration
from etl_platform.metastore.records import now
from etl_platform.resources import LakeResource, StreamResource

if TYPE_CHECKING:
    from etl_platform.components.stream_source.loading import StreamTable


def stream_sensor(
    name: str,
    declared: StreamTable,
    partitions: dg.DynamicPartitionsDefinition,
    assets: Sequence[dg.AssetKey],
) -> dg.SensorDefinition:
    """``name``: cuts batches and requests one run for each.

    A run's key is that of its batch, so that Dagster starts none twice however often it is
    requested.

    Args:
        assets: what a run materialises: all of them have these partitions.
    """
    looking, stream_name = declared.options.sensor, declared.table.sql

    def look(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        from etl_platform.components.stream_source.looking import Watcher

        log = cast("LakeResource", getattr(context.resources, LAKE_KEY)).metastore().streams
        broker = cast("StreamResource", getattr(context.resources, declared.broker_key))
        watcher = Watcher(stream_name, broker.stream(declared.topic), log, declared.options)
        cursor = int(context.cursor) if context.cursor else -1
        patience = parse_duration(looking.give_up_after)
        runs = runs_of(context.instance, log, stream_name, cursor, now(), patience)
        found = watcher.look(cursor, runs.unfinished + len(runs.again))
        for note in found.notes:
            context.log.warning("%s: %s", stream_name, note)
        if found.failed:
            context.log.warning("%s: %s", stream_name, found.reason)
        requests = [*runs.again, *(Again(one.key, one.key) for one in found.requests)]
        keys = [one.key for one in requests]
        if not keys:
            return dg.SensorResult(skip_reason=found.reason, cursor=str(found.cursor))
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(
                    run_key=one.run_key,
                    partition_key=one.key,
                    asset_selection=list(assets),
                    tags={STREAM_TAG: stream_name},
                )
                for one in requests
            ],
            dynamic_partitions_requests=[partitions.build_add_request(keys)],
            cursor=str(found.cursor),
        )

    return dg.SensorDefinition(
        name=name,
        description=f"Cuts batches of `{declared.topic}` and loads them into {stream_name}.",
        evaluation_fn=look,
        asset_selection=dg.AssetSelection.assets(*assets),
        minimum_interval_seconds=looking.every_s,
        default_status=looking.status,
        required_resource_keys={LAKE_KEY, declared.broker_key},
    )
