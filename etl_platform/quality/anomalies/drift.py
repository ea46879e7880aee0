"""How far the distribution of a column has moved between two versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from etl_platform.quality.anomalies.robust import Floats

PSI_MODERATE = 0.1
PSI_LARGE = 0.25
"""The rule of thumb of credit scoring: below 0.1 no change, above 0.25 another population."""

_LEAST_SHARE = 1e-4


def psi(before: Sequence[float] | Floats, after: Sequence[float] | Floats) -> float:
    """The population stability index of two histograms over the same bins.

    The sum of (a - b) ln(a / b) over shares, which is the symmetric Kullback-Leibler divergence
    (Jeffreys 1946; Siddiqi, Credit Risk Scorecards, 2006). Two samples of one population differ by
    about (bins - 1) (1/n + 1/m) (Yurdakul 2018): that much is taken off. Empty bins count as one
    in 10,000.

    Args:
        before: rows per bin.
        after: rows per bin, of the same bins.

    Returns:
        0 or more; 0 when either has no rows.
    """
    old, new = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    rows = (float(old.sum()), float(new.sum()))
    if min(rows) <= 0:
        return 0.0
    b, a = np.maximum(old / rows[0], _LEAST_SHARE), np.maximum(new / rows[1], _LEAST_SHARE)
    used = (old > 0) | (new > 0)
    distance = float(((a - b) * np.log(a / b))[used].sum())
    by_chance = (int(used.sum()) - 1) * (1 / rows[0] + 1 / rows[1])
    return max(0.0, distance - by_chance)


def ks(before: Sequence[float] | Floats, after: Sequence[float] | Floats) -> float:
    """The Kolmogorov-Smirnov distance of two histograms over the same bins in ascending order.

    The largest distance of the cumulative shares (Smirnov 1939): 0 to 1, exact for the bins and at
    most what the values themselves would give.
    """
    old, new = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    if old.sum() <= 0 or new.sum() <= 0:
        return 0.0
    return float(np.max(np.abs(np.cumsum(old) / old.sum() - np.cumsum(new) / new.sum())))


def ks_critical(rows_before: int, rows_after: int, alpha: float = 0.001) -> float:
    """The distance that two samples of one population pass with a probability below ``alpha``."""
    return float(np.sqrt(-np.log(alpha / 2) / 2 * (1 / rows_before + 1 / rows_after)))


def rebinned(edges: Sequence[float], counts: Sequence[float], onto: Sequence[float]) -> Floats:
    """A histogram over other bins: rows spread evenly within a bin, those outside at the ends.

    Args:
        edges: of the bins, ascending, one more than counts.
        onto: ascending edges of the new bins.
    """
    total = np.append(0.0, np.cumsum(np.asarray(counts, dtype=np.float64)))
    below = np.interp(np.asarray(onto, dtype=np.float64), edges, total)
    below[0], below[-1] = 0.0, total[-1]
    return np.diff(below)


def categories(
    before: Mapping[object, int], rows_before: int, after: Mapping[object, int], rows_after: int
) -> tuple[Floats, Floats]:
    """Frequent values of two versions as histograms over the same bins, the rest as the last one.

    A value that only one version counted is part of the other's rest, and then of both.
    """
    shared = [value for value in before if value in after]
    old = np.array([float(before[value]) for value in shared])
    new = np.array([float(after[value]) for value in shared])
    return np.append(old, rows_before - old.sum()), np.append(new, rows_after - new.sum())
