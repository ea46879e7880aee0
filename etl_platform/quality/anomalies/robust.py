"""Medians, scales and tails that a few wrong values do not move.

Sources: Rousseeuw and Croux, Alternatives to the Median Absolute Deviation, JASA 88 (1993), for
scales; Hoaglin, Mosteller and Tukey, Understanding Robust and Exploratory Data Analysis (1983), for
tails read off quantiles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NORMAL_MEDIAN = 0.6745
"""Half of the absolute values of a standard normal variable are below."""
_NORMAL_Q90 = 1.6449
_TAIL_POWER = 2.0
_MOST_TAIL = 2.2
_RELATIVE_FLOOR = 0.002
_LEAST_FLOOR = 1e-9


@dataclass(frozen=True, slots=True)
class Scale:
    """How far residuals lie from zero.

    ``sigma`` is that of a normal distribution with the same bulk, ``tail`` by how much further than
    a normal one's the rare residuals reach (1 for normal, 2 for Laplace's), ``count`` how many
    there were.
    """

    sigma: float
    tail: float
    count: int


def nan_median(rows: Floats, least: int = 1) -> Floats:
    """The median of the last axis, NaN left out; NaN where fewer than ``least`` values are.

    numpy's own takes a hundred times as long on many short rows.
    """
    ordered = np.sort(rows, axis=-1)
    counts = np.count_nonzero(~np.isnan(rows), axis=-1)
    last = np.maximum(counts - 1, 0)
    low = np.take_along_axis(ordered, (last // 2)[..., None], axis=-1)[..., 0]
    high = np.take_along_axis(ordered, ((last + 1) // 2)[..., None], axis=-1)[..., 0]
    return np.where(counts >= least, (low + high) / 2, np.nan)


def scale_of(residuals: Floats, floor: float) -> Scale:
    """The scale of residuals around zero, at least ``floor``; moved by up to a tenth wrong ones.

    The larger of the scaled MAD and the scaled ninth decile: a series that mostly stands still has
    a MAD of zero. The tail is the ratio of the two, less what chance makes of it.
    """
    sizes = np.abs(residuals)
    count = len(sizes)
    middle, outer = np.quantile(sizes, (0.5, 0.9)) if count else (0.0, 0.0)
    by_middle, by_outer = middle / NORMAL_MEDIAN, outer / _NORMAL_Q90
    sigma = max(by_middle, by_outer, floor)
    if by_middle <= floor or count == 0:
        return Scale(float(sigma), 1.0, count)
    chance = 1 + 0.9 / np.sqrt(count)
    ratio = max(1.0, by_outer / by_middle / chance)
    return Scale(float(sigma), float(min(ratio**_TAIL_POWER, _MOST_TAIL)), count)


def floor_of(level: float) -> float:
    """The least scale at a level: a constant series has none of its own.

    0.2 % of the level: rounding and a last digit are not news, a changed constant is.
    """
    return max(_RELATIVE_FLOOR * abs(level), _LEAST_FLOOR)


def robust_z(values: Floats, value: float) -> float:
    """How many robust standard deviations a value lies from the median of others.

    Iglewicz and Hoaglin, How to Detect and Handle Outliers (1993), with the scale of
    :func:`scale_of`.
    """
    middle = float(np.median(values))
    return (value - middle) / scale_of(values - middle, floor_of(middle)).sigma
