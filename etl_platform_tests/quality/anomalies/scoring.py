"""Precision and recall of the verdicts on labelled series."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from etl_platform.quality.anomalies.config import Judging
from etl_platform.quality.anomalies.gap import judge_gap
from etl_platform.quality.anomalies.judging import History, judge
from etl_platform_tests.quality.anomalies.labelled_series import FAMILIES, Labelled


@dataclass(frozen=True)
class Score:
    """``found`` of ``events``; ``right`` of ``alerts``; ``judged`` steps, of which ``early`` were
    alerts before the minimum history."""

    events: int = 0
    found: int = 0
    alerts: int = 0
    right: int = 0
    judged: int = 0
    early: int = 0

    @property
    def precision(self) -> float:
        return self.right / self.alerts if self.alerts else 1.0

    @property
    def recall(self) -> float:
        return self.found / self.events if self.events else 1.0

    @property
    def false_alarms(self) -> float:
        """The share of judged steps that were a false alert."""
        return (self.alerts - self.right) / self.judged

    def __add__(self, other: Score) -> Score:
        return Score(
            *(
                getattr(self, name) + getattr(other, name)
                for name in ("events", "found", "alerts", "right", "judged", "early")
            )
        )


def alerts_of(series: Labelled, config: Judging) -> list[int]:
    """The steps at which an alert is raised when the series comes in point by point."""
    found: list[int] = []
    whole = History(series.times, series.values)
    for step in range(1, len(series.times)):
        at, value = float(series.times[step]), float(series.values[step])
        history = History(whole.times[:step], whole.values[:step])
        if (
            judge(history, at, value, config).status == "anomaly"
            or judge_gap(history.times, at, config).late
        ):
            found.append(step)
    return found


def score(series: Labelled, config: Judging) -> Score:
    """Run a series and count."""
    alerts = [step for step in alerts_of(series, config) if step not in series.ignored]
    inside = [any(a <= step <= b for a, b in series.events) for step in alerts]
    return Score(
        events=len(series.events),
        found=sum(any(a <= step <= b for step in alerts) for a, b in series.events),
        alerts=len(alerts),
        right=sum(inside),
        judged=max(0, len(series.times) - config.minimum_history),
        early=sum(step < config.minimum_history for step in alerts),
    )


def score_family(name: str, seeds: range, config: Judging) -> Score:
    """The sum over seeds."""
    total = Score()
    for seed in seeds:
        rng = np.random.default_rng([seed, *name.encode()])
        total = total + score(FAMILIES[name](rng), config)
    return total
