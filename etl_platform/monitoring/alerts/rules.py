"""Rules: which observations are incidents, and how grave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from etl_platform.monitoring.alerts.signals import SEVERITIES, Kind, Severity, Signal


@dataclass(frozen=True, slots=True)
class Rule:
    """What opens an incident.

    Attributes:
        kinds: of incidents.
        assets: patterns like ``shop/*``; none: every asset.
        severity: of the incidents; None: what the observation says.
        at_least: observations that are less grave are no incidents.
        above: the least value that is one: seconds of lag, dead letters, times the usual duration.
    """

    kinds: tuple[Kind, ...]
    assets: tuple[str, ...] = ()
    severity: Severity | None = None
    at_least: Severity = "warn"
    above: float | None = None

    def covers(self, signal: Signal) -> bool:
        """Whether the rule is about such an observation, good or bad."""
        if signal.kind not in self.kinds:
            return False
        return not self.assets or any(
            fnmatchcase(signal.asset or "", pattern) for pattern in self.assets
        )

    def judge(self, signal: Signal) -> Signal:
        """The observation as the rule sees it: graver, less grave, or no trouble at all."""
        quiet = SEVERITIES.index(signal.severity) < SEVERITIES.index(self.at_least)
        below = self.above is not None and signal.value is not None and signal.value <= self.above
        return replace(
            signal,
            bad=signal.bad and not quiet and not below,
            severity=self.severity or signal.severity,
        )


def judged(rules: Sequence[Rule], signals: Sequence[Signal]) -> list[Signal]:
    """Observations that some rule covers, each as the first such rule sees it, oldest first."""
    found: list[Signal] = []
    for signal in signals:
        rule = next((one for one in rules if one.covers(signal)), None)
        if rule is not None:
            found.append(rule.judge(signal))
    return sorted(found, key=lambda one: one.at)
