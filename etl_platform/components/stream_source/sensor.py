"""The sensor of one stream: a look at the broker becomes partitions and runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import dagster as dg
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

from etl_platform.components.assets import LAKE_KEY
from etl_platform.resources import LakeResource, StreamResource

if TYPE_CHECKING:
    from etl_platform.components.stream_source.loading import StreamTable

STREAM_TAG = "etl/stream"
"""Tag of the runs that a stream's sensor requests, by which unfinished ones are counted."""


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
        running = context.instance.get_runs_count(
            dg.RunsFilter(tags={STREAM_TAG: stream_name}, statuses=list(NOT_FINISHED_STATUSES))
        )
        found = watcher.look(cursor, running)
        for note in found.notes:
            context.log.warning("%s: %s", stream_name, note)
        if found.failed:
            context.log.warning("%s: %s", stream_name, found.reason)
        keys = [one.key for one in found.requests]
        if not keys:
            return dg.SensorResult(skip_reason=found.reason, cursor=str(found.cursor))
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(
                    run_key=key,
                    partition_key=key,
                    asset_selection=list(assets),
                    tags={STREAM_TAG: stream_name},
                )
                for key in keys
            ],
            dynamic_partitions_requests=[partitions.build_add_request(keys)],
            cursor=str(found.cursor),
        )

    status = dg.DefaultSensorStatus.RUNNING if looking.enabled else dg.DefaultSensorStatus.STOPPED
    return dg.SensorDefinition(
        name=name,
        description=f"Cuts batches of `{declared.topic}` and loads them into {stream_name}.",
        evaluation_fn=look,
        asset_selection=dg.AssetSelection.assets(*assets),
        minimum_interval_seconds=looking.every_s,
        default_status=status,
        required_resource_keys={LAKE_KEY, declared.broker_key},
    )
