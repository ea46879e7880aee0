"""The component of alerts: who is told when something goes wrong, and when it is right again."""

from __future__ import annotations

import dagster as dg
from pydantic import Field

from etl_platform.components.alerts.options import (
    AlertsOptions,
    ChannelOptions,
    RouteOptions,
    RuleOptions,
)
from etl_platform.components.alerts.sensor import alert_sensor
from etl_platform.core.errors import EtlError


class AlertsComponent(dg.Component, dg.Model, dg.Resolvable):
    """Rules over runs, checks, freshness and streams; routes to channels; one sensor.

    An incident is told once when it opens, again only when it gets graver, and once when it ends.
    Notices wait in the metastore until they are sent, so that nothing is lost when the sensor is
    killed or a channel is away, and no run ever waits for them.
    """

    name: str = Field(default="platform", description="Of the sensor: <name>_alerts.")
    rules: list[RuleOptions] = Field(
        default=[RuleOptions()],
        description="What is an incident; default: every kind. Of several rules about the same "
        "the first one holds.",
    )
    channels: dict[str, ChannelOptions] = Field(
        description="By name.", examples=[{"mail": {"url": "env://ALERTS_MAIL"}}]
    )
    routes: list[RouteOptions] = Field(
        default=[], description="Who is told of what; default: every channel of everything."
    )
    base_url: str | None = Field(
        default=None,
        description="Where Dagster's UI is, for links.",
        examples=["https://dagster.example.com"],
    )
    every_s: int = Field(default=30, ge=1, description="Seconds between looks.")
    enabled: bool = Field(
        default=True, description="Whether the sensor is on as soon as it is deployed."
    )

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        return dg.ComponentTypeSpec(
            description="Notices by mail, chat or webhook of what goes wrong, and of its end.",
            tags=["etl", "alerts"],
            produces=["sensor"],
        )

    def options(self) -> AlertsOptions:
        """What the sensor and the commands work with."""
        return AlertsOptions(
            name=self.name,
            rules=self.rules,
            routes=self.routes,
            channels=self.channels,
            base_url=self.base_url,
        )

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Build the sensor.

        Raises:
            ConfigError: a route names a channel that there is not.
        """
        status = dg.DefaultSensorStatus.RUNNING if self.enabled else dg.DefaultSensorStatus.STOPPED
        try:
            sensor = alert_sensor(self.options(), self.every_s, status)
        except EtlError as error:
            error.add_note(str(context.path))
            raise
        return dg.Definitions(sensors=[sensor])
