"""What can be said about how a metric is judged; everything else is taken from its history."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from etl_platform.core.errors import ConfigError

Sensitivity = Literal["low", "medium", "high"]

SENSITIVITIES: tuple[Sensitivity, ...] = ("low", "medium", "high")
MINIMUM_HISTORY = 14
"""Points before the first verdict: two weeks of days."""


@dataclass(frozen=True, slots=True)
class Limits:
    """``deviation`` and ``change`` are in robust standard deviations of normal residuals.

    On the labelled series of ``python -m benchmarks anomalies`` about 0.1 % (low), 0.2 % (medium)
    and 0.3 % (high) of judged points are false alarms; series with heavy tails have three times
    as many.
    """

    deviation: float
    change: float


LIMITS = MappingProxyType(
    {
        "low": Limits(deviation=5.5, change=16.0),
        "medium": Limits(deviation=3.7, change=10.0),
        "high": Limits(deviation=3.0, change=7.0),
    }
)


@dataclass(frozen=True, slots=True)
class Judging:
    """How a metric is judged.

    Raises:
        ConfigError: an unknown sensitivity, or a minimum below 8 points.
    """

    sensitivity: Sensitivity = "medium"
    minimum_history: int = MINIMUM_HISTORY

    def __post_init__(self) -> None:
        if self.sensitivity not in LIMITS:
            raise ConfigError(
                f"sensitivity is {self.sensitivity!r}", valid=", ".join(sorted(LIMITS))
            )
        if self.minimum_history < 8:
            raise ConfigError(
                f"minimum_history is {self.minimum_history!r}",
                valid="8 or more points: fewer say nothing about what is usual",
            )

    @property
    def limits(self) -> Limits:
        return LIMITS[self.sensitivity]


def judging(sensitivity: str) -> Judging:
    """The configuration for a sensitivity that was given as text.

    Raises:
        ConfigError: there is no such sensitivity.
    """
    for known in SENSITIVITIES:
        if sensitivity == known:
            return Judging(known)
    raise ConfigError(f"sensitivity is {sensitivity!r}", valid=", ".join(SENSITIVITIES))
