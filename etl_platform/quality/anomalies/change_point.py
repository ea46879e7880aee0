"""Changes too small for a single point, that add up."""

from __future__ import annotations

import numpy as np

from etl_platform.quality.anomalies.robust import Floats

SLACK = 0.5
_MOST_PER_POINT = 3.0
_JUMP = 4.0
_WANDERING = 2.0
LEAST_STEPS = 56


def cusum(scores: Floats, limit: float | None = None, rest: int = 0) -> tuple[Floats, list[int]]:
    """The larger of the sums of what lies above and below the expected, and where it passed.

    Page, Continuous Inspection Schemes, Biometrika 41 (1954), two-sided, with a slack of half a
    standard deviation; every point counts as at most three, so that one spike is no change.

    Args:
        scores: standardised residuals.
        limit: the sums begin anew when one of them passes it.
        rest: steps after such a passage that do not count; nor do those after a jump, two scores
            in a row beyond four, which needs no sum to be seen.

    Returns:
        The signed sum at each step, and the steps at which the limit was passed.
    """
    sums, passed = np.zeros(len(scores)), list[int]()
    above = below = 0.0
    free = 0
    for n, score in enumerate(np.clip(scores, -_MOST_PER_POINT, _MOST_PER_POINT).tolist()):
        if n < free:
            continue
        if limit is not None and n and min(scores[n - 1 : n + 1] * np.sign(score)) > _JUMP:
            above = below = 0.0
            free = n + 1 + rest
            continue
        above = max(0.0, above + score - SLACK)
        below = max(0.0, below - score - SLACK)
        sums[n] = above if above >= below else -below
        if limit is not None and abs(sums[n]) > limit:
            passed.append(n)
            above = below = 0.0
            free = n + 1 + rest
    return sums, passed


def changes_now(scores: Floats, limit: float, rest: int) -> int:
    """1 or -1 when a lasting change up or down shows at the last score, else 0.

    A series that wanders without harm has large sums all the time: the limit is at least one and a
    half times the upper quartile of its sums. Each change is told once, and then the level is given
    ``rest`` steps to settle.
    """
    if len(scores) < LEAST_STEPS:
        return 0
    before, _ = cusum(scores[:-rest])
    usual = float(np.quantile(np.abs(before), 0.9))
    sums, passed = cusum(scores, max(limit, _WANDERING * usual), rest)
    if not passed or passed[-1] != len(scores) - 1:
        return 0
    return 1 if sums[-1] > 0 else -1
