"""The catalogue follows the lake: a sensor that indexes what was materialised."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import dagster as dg

from etl_platform.core.errors import ConfigError
from etl_platform.core.names import TableName

if TYPE_CHECKING:
    from etl_platform.platform import Platform

_AT_ONCE = 1_000


def catalogue_sensor(
    name: str = "catalogue",
    *,
    platform: Callable[[], Platform] | None = None,
    docs: str | None = None,
    minimum_interval_seconds: int = 60,
) -> dg.SensorDefinition:
    """A sensor that indexes the tables which were materialised since it looked last.

    It starts no run: an indexing of a hundred tables takes a second or two. Everything is indexed
    when there is no catalogue yet, or one of another embedding.

    Args:
        platform: opens the platform; default: as the environment says.
        docs: folder of Markdown pages, read when everything is indexed.
    """

    @dg.sensor(name=name, minimum_interval_seconds=minimum_interval_seconds)
    def sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        from etl_platform.platform import Platform

        opened = Platform.open() if platform is None else platform()
        # The instance's own public method asks for one asset at a time: a query for each table.
        found = context.instance.event_log_storage.get_event_records(
            dg.EventRecordsFilter(
                dg.DagsterEventType.ASSET_MATERIALIZATION,
                after_cursor=int(context.cursor) if context.cursor else None,
            ),
            limit=_AT_ONCE,
            ascending=True,
        )
        keys = {record.asset_key for record in found if record.asset_key is not None}
        newest = opened.catalogue.newest()
        if newest is None or newest.model != opened.catalogue.embedding.model:
            done = opened.index(docs=docs)
        else:
            done = opened.index(sorted(filter(None, map(_table, keys))))
        if found:
            context.update_cursor(str(found[-1].storage_id))
        return dg.SkipReason(
            f"{done.added} documents added, {done.changed} changed, {done.removed} removed"
        )

    return sensor


def _table(key: dg.AssetKey) -> str | None:
    """The table of an asset; None for an asset that is none of the lake's."""
    try:
        return TableName.parse(".".join(key.path)).sql
    except ConfigError:
        return None
