"""Points that did not come when they should have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from etl_platform.quality.anomalies.config import Judging
from etl_platform.quality.anomalies.robust import Floats
from etl_platform.quality.anomalies.schedule import DAY_S, step_of

_WEEKDAY_HISTORY = 3


@dataclass(frozen=True, slots=True)
class Gap:
    """The time since the last point, and the most that is usual; seconds. None while learning."""

    late: bool
    gap_s: float
    most_s: float | None
    reason: str


def judge_gap(times: Floats, at: float, config: Judging | None = None) -> Gap:
    """Say whether the time from the last point to ``at`` is longer than usual.

    Longer than one and a half times the 95 % quantile of past gaps; where three gaps or more ended
    on the same day of the week, of those: a table that rests on weekends is not late on Mondays.

    Args:
        times: seconds since the epoch, ascending; only those before ``at`` are looked at.
        at: when a point came, or now.
    """
    config = config or Judging()
    times = times[times < at]
    if len(times) < config.minimum_history:
        reason = f"learning: {len(times)} of {config.minimum_history}"
        return Gap(late=False, gap_s=0.0, most_s=None, reason=reason)
    gaps = np.diff(times)
    gap = float(at - times[-1])
    same = _weekday(times[1:]) == _weekday(np.array([at]))[0]
    step, regular = step_of(times)
    alike = gaps[same] if step >= DAY_S / 2 and same.sum() >= _WEEKDAY_HISTORY else gaps
    usual = float(np.quantile(alike, 0.95, method="lower")) if regular else float(gaps.max())
    most = 1.5 * max(usual, step)
    if gap <= most:
        reason = f"{_span(gap)} after the last point, up to {_span(most)} is usual"
        return Gap(late=False, gap_s=gap, most_s=most, reason=reason)
    reason = f"{_span(gap)} after the last point: more than the usual {_span(most)}"
    return Gap(late=True, gap_s=gap, most_s=most, reason=reason)


def _weekday(times: Floats) -> Floats:
    return np.floor(times / DAY_S) % 7


def _span(seconds: float) -> str:
    for length, unit in ((DAY_S, "d"), (3_600.0, "h"), (60.0, "min")):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"
