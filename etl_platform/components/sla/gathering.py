"""What Dagster knows of assets with an SLA: their deadlines and when they were made."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph

from etl_platform.components.sla.terms import METADATA, Sla
from etl_platform.monitoring.sla import Due, Kept, judge

_PAGE = 1000


def kept(
    instance: dg.DagsterInstance,
    graph: BaseAssetGraph[Any],
    now: datetime,
    lookback: timedelta,
    *,
    declared_only: bool = False,
) -> list[Kept]:
    """Every deadline of the last time of every asset that has some, oldest first.

    The newest deadline may be still to come.

    Args:
        declared_only: leave out what is known from freshness policies alone.
    """
    begin = now - lookback
    found: list[Kept] = []
    for key in sorted(graph.materializable_asset_keys):
        node = graph.get(key)
        sla = Sla.of(node)
        if sla is None or (declared_only and METADATA not in node.metadata):
            continue
        times = _times(instance, key, begin)
        every = sorted(moment for own in times.values() for moment in own)
        for due in _dues(key.to_user_string(), sla, node.partitions_def, begin, now):
            own = times.get(due.partition, []) if due.partition else every
            found.append(judge(due, own, now))
    return found


def _dues(
    asset: str,
    sla: Sla,
    partitions: dg.PartitionsDefinition[Any] | None,
    begin: datetime,
    now: datetime,
) -> Iterator[Due]:
    if isinstance(partitions, dg.TimeWindowPartitionsDefinition):
        with dg.partition_loading_context(effective_dt=now):
            keys = partitions.get_partition_keys()
            for key in reversed(keys):
                end = partitions.time_window_for_partition_key(key).end.astimezone(UTC)
                if end < begin:
                    return
                yield Due(asset, key, datetime.min.replace(tzinfo=UTC), sla.first_after(end))
        return
    # What streams cut has no time of its own: of them, as of whole tables, the newest counts.
    spans = sla.between(begin, now)
    for place, (start, due) in enumerate(spans):
        following = spans[place + 1][0] if place + 1 < len(spans) else None
        yield Due(asset, None, start, due, following)


def _times(
    instance: dg.DagsterInstance, key: dg.AssetKey, begin: datetime
) -> dict[str | None, list[datetime]]:
    """When each partition was made, oldest first."""
    found: dict[str | None, list[datetime]] = {}
    # A partition may be made before the period of the report begins, and a day's table the evening
    # before its deadline.
    asked = dg.AssetRecordsFilter(
        asset_key=key, after_timestamp=(begin - timedelta(days=2)).timestamp()
    )
    cursor: str | None = None
    while True:
        page = instance.fetch_materializations(asked, limit=_PAGE, cursor=cursor, ascending=True)
        for record in page.records:
            moment = datetime.fromtimestamp(record.timestamp, UTC)
            found.setdefault(record.partition_key, []).append(moment)
        if not page.has_more:
            return found
        cursor = page.cursor
