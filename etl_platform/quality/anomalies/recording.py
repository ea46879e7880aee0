"""Points of a table's histories: which series they belong to, and which time they are of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from etl_platform.metastore.records import MetricPointRecord
from etl_platform.quality.anomalies.metrics import Metric, metrics_of, to_json

if TYPE_CHECKING:
    from etl_platform.quality.profile import Profile

_TIME = re.compile(r"(\d{4})-(\d{2})(?:-(\d{2}))?(?:[-T ](\d{2})(?::(\d{2}))?(?::\d{2})?)?Z?")
_DIMENSION = "|"


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a table's histories a materialisation stands.

    ``series`` is the partition without its time: days of one region are compared with each other.
    """

    series: str
    event_time: datetime
    partition_time: bool


def place_of(partition: Mapping[str, object] | None, published_at: datetime) -> Place:
    """Read the time out of partition values.

    >>> place_of({"_partition": "2024-02-29|eu"}, datetime.now(UTC)).series
    'eu'

    Keys of Dagster's hourly, daily, weekly and monthly partitions are understood (read as UTC),
    several dimensions are separated by ``|``. Without a time in it, the point is of the time when
    it was published.
    """
    time: datetime | None = None
    rest: list[str] = []
    for value in (partition or {}).values():
        for part in str(value).split(_DIMENSION):
            moment = _moment(part) if time is None else None
            time = time or moment
            if moment is None:
                rest.append(part)
    return Place(_DIMENSION.join(rest), time or published_at, time is not None)


def point_of(
    lake: str,
    table: str,
    version: int,
    profile: Profile,
    place: Place,
    moves: tuple[Metric, ...] = (),
) -> MetricPointRecord:
    """The record of a materialisation's metrics.

    Args:
        moves: how far the values moved since the version before, see :mod:`.moved`.
    """
    return MetricPointRecord(
        lake=lake,
        table=table,
        series=place.series,
        event_time=place.event_time,
        version=version,
        metrics=to_json((*metrics_of(profile), *moves)),
    )


def _moment(text: str) -> datetime | None:
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute = found.groups()
    try:
        return datetime(
            int(year), int(month), int(day or 1), int(hour or 0), int(minute or 0), tzinfo=UTC
        )
    except ValueError:
        return None
