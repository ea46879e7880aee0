"""What the next value should be, by forecasts that only look back.

Every forecast is a trailing level plus the usual distance from it. A linear trend makes that
distance a constant, a season makes it repeat: both are taken up without being estimated (robust
differencing). A forecast is made for every past step too, from what was before it, so that its
errors are honest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from etl_platform.quality.anomalies.robust import NORMAL_MEDIAN, Floats, nan_median

LONG = 28
"""Steps of the level against which slow changes are seen."""

_CYCLES = 8
_LEAST_CYCLES = 3
_OVERALL_WEIGHT = 4.0
_MOST_OWN = 3.0
_RECENT_DISTANCES = 28
_LONGEST_LEVEL = 24
_WIDTHS = (7, 3)


@dataclass(frozen=True, slots=True)
class Forecast:
    """Forecasts of every step of a grid (NaN where nothing can be said); the last is of the step
    that is judged.

    ``season`` is the number of steps after which the pattern repeats, 0 for none; ``pattern`` is
    its part in each value.
    """

    season: int
    pattern: Floats
    predicted: Floats


def forecasts(values: Floats, seasons: tuple[int, ...]) -> tuple[Forecast, ...]:
    """The forecasts that a history allows, simplest first.

    The level of the last seven points and of the last three (for series that wander); each also
    after a season is taken off, once three whole ones are known: the median of the last eight of
    the same weekday or hour.

    Args:
        values: on a grid, NaN where a step has no point; the last step is to be forecast.
    """
    patterns = [(0, np.zeros(len(values)))]
    patterns += [
        (season, _pattern(values, season))
        for season in seasons
        if len(values) > _LEAST_CYCLES * season + 1
    ]
    return tuple(
        Forecast(season, pattern, pattern + level_forecast(values - pattern, width))
        for season, pattern in patterns
        for width in _WIDTHS
    )


def seasonal_scale(residuals: Floats, season: int, overall: float) -> Floats:
    """The scale of residuals at every step: nights are quieter than days.

    The MAD of the last eight at the same place in the season, and the overall scale, with the
    weight of two: without a season that is all there is.
    """
    if not season:
        return np.full(len(residuals), overall)
    sizes = _earlier(np.abs(residuals), season)
    counts = np.count_nonzero(~np.isnan(sizes), axis=-1)
    own = nan_median(sizes, least=2) / NORMAL_MEDIAN
    own = np.clip(own, overall / _MOST_OWN, overall * _MOST_OWN)
    weight = counts / (counts + _OVERALL_WEIGHT)
    mixed = np.sqrt(weight * own**2 + (1 - weight) * overall**2)
    return np.where(np.isnan(mixed), overall, mixed)


def level_forecast(values: Floats, width: int, distances: int = _RECENT_DISTANCES) -> Floats:
    """For every step the median of the steps before it, plus the usual distance from that."""
    level = trailing(values, width, least=min(3, width))
    return level + trailing(values - level, distances, least=3)


def trailing(values: Floats, width: int, least: int) -> Floats:
    """For every step the median of the ``width`` steps before it."""
    padded = np.concatenate([np.full(width, np.nan), values[:-1]])
    return nan_median(sliding_window_view(padded, width), least)


def _pattern(values: Floats, season: int) -> Floats:
    """Distances from the level at the same place in earlier seasons."""
    width = min(season, _LONGEST_LEVEL)
    level = trailing(values, width, least=-(-width * 3 // 5))
    distances = values - level
    return nan_median(_earlier(distances, season), least=_LEAST_CYCLES)


def _earlier(values: Floats, season: int) -> Floats:
    """For every step the values at the same place in the eight seasons before."""
    steps = np.arange(len(values))[:, None] - season * np.arange(1, _CYCLES + 1)
    return np.where(steps >= 0, values[np.maximum(steps, 0)], np.nan)
