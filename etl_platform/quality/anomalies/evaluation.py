"""The metrics of a table's newest point, judged by the histories in the metastore."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from etl_platform.quality.anomalies.config import Judging
from etl_platform.quality.anomalies.feedback import applied
from etl_platform.quality.anomalies.gap import judge_gap
from etl_platform.quality.anomalies.judging import History, Verdict, judge
from etl_platform.quality.anomalies.metrics import GAP, from_json
from etl_platform.quality.anomalies.moved import is_move, judge_move

if TYPE_CHECKING:
    from etl_platform.metastore import MetricLog
    from etl_platform.metastore.records import MetricFeedbackRecord, MetricPointRecord


@dataclass(frozen=True, slots=True)
class Judged:
    """A metric's verdict with what it was compared with; ``value`` is None when not measured."""

    metric: str
    at: datetime
    value: float | None
    history: History
    verdict: Verdict


def evaluate(
    log: MetricLog,
    lake: str,
    table: str,
    series: str,
    at: datetime,
    metrics: Sequence[str],
    config: Judging | None = None,
) -> tuple[Judged, ...]:
    """Judge the metrics of the point of a time; those that it does not have are not judged.

    One read of the history for all metrics. The metric ``gap`` is the time since the point before.
    """
    config = config or Judging()
    points = log.points(table, lake=lake, series=series, until=at)
    feedback = log.feedback(table, lake=lake)
    times = np.array([point.event_time.timestamp() for point in points])
    values = [from_json(point.metrics) for point in points]
    return tuple(
        _judged(metric, at, points, times, [of.get(metric) for of in values], feedback, config)
        for metric in metrics
    )


def _judged(
    metric: str,
    at: datetime,
    points: Sequence[MetricPointRecord],
    times: np.ndarray[tuple[int], np.dtype[np.float64]],
    values: Sequence[float | None],
    feedback: Sequence[MetricFeedbackRecord],
    config: Judging,
) -> Judged:
    said = applied(feedback, metric, at)
    newest = bool(points) and points[-1].event_time == at
    if metric == GAP:
        ends = times[1:]
        known = History(ends, np.diff(times))
        value = float(times[-1] - times[-2]) if newest and len(times) > 1 else None
    else:
        kept = [n for n, value in enumerate(values) if value is not None]
        known = History(times[kept], np.array([values[n] for n in kept], dtype=np.float64))
        value = values[-1] if newest and points else None
    history = known if said.since is None else known.since(said.since.timestamp())
    before = _before(history, at)
    if value is None:
        reason = "not measured in this version"
        verdict = Verdict(
            "learning", None, None, None, None, reason, len(before), config.minimum_history
        )
    elif metric == GAP:
        verdict = _gap(before, times, at, value, config)
    elif is_move(metric):
        verdict = judge_move(metric, before, at.timestamp(), value, config)
    else:
        verdict = judge(before, at.timestamp(), value, config)
    if said.muted and verdict.status != "learning":
        verdict = replace(verdict, status="muted", reason=f"{said.muted} ({verdict.reason})")
    return Judged(metric, at, value, before, verdict)


def _before(history: History, at: datetime) -> History:
    """The points before a time."""
    kept = history.times < at.timestamp()
    return History(history.times[kept], history.values[kept])


def _gap(
    history: History,
    times: np.ndarray[tuple[int], np.dtype[np.float64]],
    at: datetime,
    value: float,
    config: Judging,
) -> Verdict:
    first = history.times[0] if len(history) else at.timestamp()
    found = judge_gap(times[times >= first], at.timestamp(), config)
    seen = len(history)
    if found.most_s is None:
        return Verdict(
            "learning", None, None, None, None, found.reason, seen, config.minimum_history
        )
    status = "anomaly" if found.late else "normal"
    return Verdict(
        status,
        value / found.most_s,
        None,
        0.0,
        found.most_s,
        found.reason,
        seen,
        config.minimum_history,
    )
