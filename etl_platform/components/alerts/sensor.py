"""The sensor of a set of alerts: a look at what happened becomes incidents and notices."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

import dagster as dg
from pydantic import BaseModel, ConfigDict

from etl_platform.components.alerts.advice import Advisor
from etl_platform.components.alerts.event_log import Events
from etl_platform.components.alerts.levels import (
    freshness_signals,
    sla_signals,
    stream_signals,
)
from etl_platform.components.alerts.options import AlertsOptions
from etl_platform.components.assets import LAKE_KEY
from etl_platform.core.errors import ConcurrentWrite, TransientError
from etl_platform.monitoring.alerts import Alerting, Signal, deliver

if TYPE_CHECKING:
    from collections.abc import Collection

    from etl_platform.monitoring.alerts import Kind
    from etl_platform.resources import LakeResource

METADATA = "etl_platform/alerts"
"""Metadata of the sensor under which commands find the declaration."""


class Seen(BaseModel):
    """The cursor: number of the last event that needs no second look."""

    model_config = ConfigDict(frozen=True)

    event: int


def alert_sensor(
    options: AlertsOptions, every_s: int, status: dg.DefaultSensorStatus
) -> dg.SensorDefinition:
    """Looks, decides, sends. It requests no run and none waits for it.

    How far it has looked stands in the metastore beside the decisions, not in Dagster: a look that
    is killed was not, or was as a whole.
    """
    alerting = options.alerting()

    def look(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        lake = cast("LakeResource", getattr(context.resources, LAKE_KEY))
        now = datetime.now(UTC)
        log = lake.metastore().alerts
        graph = context.repository_def.asset_graph if context.repository_def else None
        if graph is None:
            return dg.SkipReason("there are no definitions to look at")
        advisor = Advisor(graph, options.base_url)
        events = Events(context.instance, advisor)
        before = log.cursor(alerting.name)
        if before.version == 0:
            # What happened before there were alerts is no news.
            seen, signals = Seen(event=events.newest()), list[Signal]()
        else:
            found, number = events.since(Seen.model_validate_json(before.cursor).event, now)
            seen, signals = Seen(event=number), found
        signals += _levels(alerting, context.instance, lake, advisor, now)
        try:
            taken = alerting.take(log, signals, before, seen.model_dump_json(), now)
        except ConcurrentWrite as error:
            return dg.SkipReason(str(error))
        sent = deliver(log, alerting.name, alerting.channels)
        for notice, why in sent.failed:
            context.log.warning("notice %s waits: %s", notice, why)
        return dg.SkipReason(
            f"{len(taken.changes)} changes, {len(sent.sent)} notices sent, "
            f"{len(sent.kept)} kept, {len(sent.failed)} wait for another try"
        )

    return dg.SensorDefinition(
        name=f"{options.name}_alerts",
        description="Turns failures, broken checks, lateness and lags into notices.",
        evaluation_fn=look,
        minimum_interval_seconds=every_s,
        default_status=status,
        required_resource_keys={LAKE_KEY},
        metadata={METADATA: dg.MetadataValue.json(options.model_dump(mode="json"))},
    )


def _levels(
    alerting: Alerting,
    instance: dg.DagsterInstance,
    lake: LakeResource,
    advisor: Advisor,
    now: datetime,
) -> list[Signal]:
    """What cannot be read now is read by the next look: events must not wait for it."""
    kinds: Collection[Kind] = {kind for rule in alerting.rules for kind in rule.kinds}
    found: list[Signal] = []
    if "freshness" in kinds:
        found.extend(freshness_signals(instance, advisor))
    if "sla" in kinds:
        found.extend(sla_signals(instance, advisor, now))
    if not kinds.isdisjoint({"stream_lag", "dead_letters"}):
        try:
            found.extend(stream_signals(kinds, lake.lake(), lake.metastore(), advisor, now))
        except TransientError as error:
            dg.get_dagster_logger().warning("streams are not looked at: %s", error)
    return found
