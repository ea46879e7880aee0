"""How far each column's values have moved since the version before, and whether that is unusual."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from etl_platform.quality.anomalies.config import Judging
from etl_platform.quality.anomalies.drift import PSI_LARGE, PSI_MODERATE
from etl_platform.quality.anomalies.judging import History, Verdict, judge
from etl_platform.quality.anomalies.metrics import Metric

if TYPE_CHECKING:
    from etl_platform.quality.profile import Profile

LEAST = MappingProxyType(
    {
        "psi": {"low": PSI_LARGE, "medium": PSI_LARGE, "high": PSI_MODERATE},
        "ks": {"low": 0.2, "medium": 0.2, "high": 0.126},
    }
)
"""What a distance must reach before it counts, by metric and sensitivity. Those of ``ks`` are the
distances of two normal distributions whose ``psi`` is 0.25 and 0.1."""


def moves_of(before: Profile, after: Profile) -> tuple[Metric, ...]:
    """``column.psi`` and ``column.ks`` of the columns that two full profiles have.

    Other profiles say too little: their bins and listed values follow the ends of the data. A
    distance of ``ks`` that chance alone passes once in 1,000 times counts as none.
    """
    if before.sketch is None or after.sketch is None:
        return ()
    known = {column.name for column in before.sketch.columns}
    names = [column.name for column in after.sketch.columns if column.name in known]
    return tuple(metric for name in names for metric in _column(before, after, name))


def is_move(metric: str) -> bool:
    """Whether a metric is a distance between versions."""
    column, _, name = metric.rpartition(".")
    return bool(column) and name in LEAST


def judge_move(
    metric: str, history: History, at: float, value: float, config: Judging | None = None
) -> Verdict:
    """Say whether a distance is unusual: beyond the rule of thumb and beyond what is usual here.

    A column whose values always move (keys, times) has a history that says so; one that never did
    is told by the rule of thumb. A small distance is never an anomaly.
    """
    config = config or Judging()
    found = judge(history, at, value, config)
    if found.band_high is None:
        return found
    least = LEAST[metric.rpartition(".")[2]][config.sensitivity]
    most = max(least, found.band_high)
    moved = value > most
    by = "what is usual for this column" if found.band_high > least else "the rule of thumb"
    reason = (
        f"the values moved by {value:.3g} since the version before: more than {most:.3g}, {by}"
        if moved
        else f"the values moved by {value:.3g} since the version before, at most {most:.3g}"
    )
    status = "anomaly" if moved else "normal"
    return replace(found, status=status, band_low=0.0, band_high=most, reason=reason)


def _column(before: Profile, after: Profile, name: str) -> Iterator[Metric]:
    from etl_platform.quality.distribution import distance

    found = distance(before, after, name)
    if found.psi is not None and math.isfinite(found.psi):
        yield Metric(name, "psi", round(found.psi, 6))
    if found.ks is not None and math.isfinite(found.ks):
        yield Metric(name, "ks", round(found.ks if found.ks > found.ks_by_chance else 0.0, 6))
