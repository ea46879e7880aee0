"""Routes: who is told of which incident."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from etl_platform.metastore.alert_records import IncidentRecord
from etl_platform.monitoring.alerts.signals import SEVERITIES, Advice, Kind, Severity


@dataclass(frozen=True, slots=True)
class Route:
    """Incidents that match everything that is said here go to these channels.

    Attributes:
        to: names of channels.
        kinds: of incidents; none: all, as for what follows.
        owners: one of the asset's, as patterns (``team:*``).
        groups: the asset's, as patterns.
        assets: patterns like ``shop/*``.
        tags: that the asset has, with these values; ``*`` is any value.
        at_least: less grave ones do not go here.
        last: later routes are not asked when this one matched.
    """

    to: tuple[str, ...]
    kinds: tuple[Kind, ...] = ()
    owners: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    assets: tuple[str, ...] = ()
    tags: dict[str, str] = field(default_factory=dict[str, str])
    at_least: Severity = "warn"
    last: bool = False

    def matches(self, incident: IncidentRecord) -> bool:
        """Whether an incident goes this way."""
        advice = Advice.model_validate_json(incident.advice)
        order: list[str] = [*SEVERITIES]
        return (
            (not self.kinds or incident.kind in self.kinds)
            and order.index(incident.severity) >= order.index(self.at_least)
            and _any(self.owners, advice.owners)
            and _any(self.groups, (advice.group or "",))
            and _any(self.assets, (incident.asset or "",))
            and all(
                name in advice.tags and fnmatchcase(advice.tags[name], value)
                for name, value in self.tags.items()
            )
        )


def channels_of(routes: Sequence[Route], incident: IncidentRecord) -> tuple[str, ...]:
    """The channels that are told of an incident, each once, in the order of the routes."""
    found: list[str] = []
    for route in routes:
        if route.matches(incident):
            found.extend(name for name in route.to if name not in found)
            if route.last:
                break
    return tuple(found)


def _any(patterns: tuple[str, ...], values: tuple[str, ...]) -> bool:
    return not patterns or any(
        fnmatchcase(value, pattern) for value in values for pattern in patterns
    )
