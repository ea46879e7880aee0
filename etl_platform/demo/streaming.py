"""What Dagster's daemon does with a stream, once: ``python -m etl_platform.demo.streaming TAG``.

The sensor looks at the broker, its runs load the batches, and the windows are computed. Runs carry
the tag ``demo`` with the value TAG, by which whoever started this finds them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import dagster as dg

from etl_platform.platform import Platform

DEMO_TAG = "demo"
_SENSOR = "live_departures_batches"
_STREAM = "live.departures"
_RESULTS = dg.AssetKey(["live", "delays"])


def main(tag: str) -> int:
    """Load all that there is; exit status 0 when every run succeeded."""
    from etl_platform.definitions import defs

    loaded = defs()
    with (
        dg.DagsterInstance.get() as instance,
        dg.partition_loading_context(dynamic_partitions_store=instance),
    ):
        job = loaded.resolve_implicit_global_asset_job_def()
        for request in _requests(loaded, instance):
            done = job.execute_in_process(
                instance=instance,
                asset_selection=list(request.asset_selection or ()),
                partition_key=request.partition_key,
                tags={**request.tags, DEMO_TAG: tag},
                raise_on_error=False,
            )
            if not done.success:
                return 1
        results = job.execute_in_process(
            instance=instance,
            asset_selection=[_RESULTS],
            tags={DEMO_TAG: tag},
            raise_on_error=False,
        )
    return 0 if results.success else 1


def _requests(defs: dg.Definitions, instance: dg.DagsterInstance) -> Iterator[dg.RunRequest]:
    """The runs that the sensor asks for, tick after tick, until it finds nothing new."""
    repository = defs.get_repository_def()
    cursor = _cursor()
    while True:
        with dg.build_sensor_context(
            instance=instance,
            instance_ref=instance.get_ref(),
            cursor=cursor,
            repository_def=repository,
            resources=repository.get_top_level_resources(),
        ) as context:
            tick = repository.get_sensor_def(_SENSOR).evaluate_tick(context)
        cursor = tick.cursor
        for added in tick.dynamic_partitions_requests or ():
            if isinstance(added, dg.AddDynamicPartitionsRequest):
                instance.add_dynamic_partitions(added.partitions_def_name, added.partition_keys)
        if not tick.run_requests:
            return
        yield from tick.run_requests


def _cursor() -> str | None:
    """The last batch of earlier demos, whose brokers are gone with all that they held."""
    newest = Platform.open().metastore.streams.newest(_STREAM)
    return None if newest is None else str(newest.number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
