"""One verdict about a new value, from the history before it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from etl_platform.quality.anomalies.change_point import LEAST_STEPS, changes_now
from etl_platform.quality.anomalies.config import Judging
from etl_platform.quality.anomalies.forecast import (
    LONG,
    Forecast,
    forecasts,
    level_forecast,
    seasonal_scale,
)
from etl_platform.quality.anomalies.robust import Floats, Scale, floor_of, scale_of
from etl_platform.quality.anomalies.schedule import HOUR_S, Grid, grid_of
from etl_platform.quality.anomalies.spread import Stabiliser, stabiliser_of

Status = Literal["learning", "normal", "anomaly", "muted"]

_LONGEST = 800
_RECENT = 90
_LEAST_RESIDUALS = 8
_SIMPLER = 0.95
_LEAST_STEP_S = 6 * HOUR_S
_CHANGE_WINDOW = 240


@dataclass(frozen=True, slots=True)
class History:
    """Earlier values of a metric: ``times`` in seconds since the epoch, ascending, finite."""

    times: Floats
    values: Floats

    def __len__(self) -> int:
        return len(self.times)

    def since(self, moment: float) -> History:
        """The points from a moment on."""
        kept = self.times >= moment
        return History(self.times[kept], self.values[kept])


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a value is, given its history.

    ``score`` is the distance from what was expected, in robust standard deviations; the band is
    where values would have been normal, in the metric's own unit. Both are None while learning.
    ``seen`` points were there of ``needed``.
    """

    status: Status
    score: float | None
    expected: float | None
    band_low: float | None
    band_high: float | None
    reason: str
    seen: int
    needed: int


@dataclass(frozen=True, slots=True)
class Expectation:
    """What is forecast, on the stabilised scale: ``value`` with standard deviation ``sigma``."""

    forecast: Forecast
    value: float
    sigma: float
    scale: Scale


def judge(history: History, at: float, value: float, config: Judging | None = None) -> Verdict:
    """Say whether a value is usual.

    The forecast with the smallest past errors says what was expected; how large its errors are,
    and how far their tail reaches, says how wide the band is. A value inside of the band is an
    anomaly too when the errors have added up beyond what they usually do: a change of the level.
    With fewer points than ``config.minimum_history`` there is no judgement.

    Args:
        history: only points before ``at`` are looked at, of them the newest 800.
        at: seconds since the epoch.
    """
    config = config or Judging()
    before = history.times < at
    times, values = history.times[before][-_LONGEST:], history.values[before][-_LONGEST:]
    seen, needed = len(times), config.minimum_history
    if seen < needed:
        return _learning(seen, needed)
    stable = stabiliser_of(values)
    grid = grid_of(times, values, at)
    grid = replace(grid, values=stable.apply(grid.values))
    chosen = _best(grid)
    if chosen is None:
        return _learning(seen, needed)
    return _verdict(stable, grid, chosen, value, config, seen)


def _learning(seen: int, needed: int) -> Verdict:
    return Verdict(
        "learning", None, None, None, None, f"learning: {seen} of {needed}", seen, needed
    )


def _best(grid: Grid) -> Expectation | None:
    best: tuple[float, Forecast] | None = None
    recent = _recent(grid)
    for forecast in forecasts(grid.values, grid.seasons):
        residuals = _known(grid.values - forecast.predicted)[-recent:]
        if len(residuals) < _LEAST_RESIDUALS or np.isnan(forecast.predicted[-1]):
            continue
        most = 3 * scale_of(residuals, floor_of(float(forecast.predicted[-1]))).sigma
        cost = float(np.mean(np.minimum(np.abs(residuals), most)))
        if best is None or cost < _SIMPLER * best[0]:
            best = (cost, forecast)
    return _expectation(grid, best[1]) if best is not None else None


def _expectation(grid: Grid, forecast: Forecast) -> Expectation:
    """Residuals are compared in units of what is usual at their place in the season."""
    expected = float(forecast.predicted[-1])
    residuals = grid.values - forecast.predicted
    floor = floor_of(expected)
    recent = _recent(grid)
    overall = scale_of(_known(residuals)[-recent:], floor).sigma
    units = seasonal_scale(residuals, forecast.season, overall)
    scores = _known(residuals / units)[-recent:]
    scale = scale_of(scores, floor / float(units[-1]))
    return Expectation(forecast, expected, float(units[-1]) * scale.sigma, scale)


def _verdict(
    stable: Stabiliser,
    grid: Grid,
    found: Expectation,
    value: float,
    config: Judging,
    seen: int,
) -> Verdict:
    expected = found.value
    here = float(stable.apply(np.array([value]))[0])
    few = 1 + 8 / found.scale.count
    reach = config.limits.deviation * found.scale.tail * few * found.sigma
    band = stable.undo(np.array([expected - reach, expected, expected + reach]))
    low, middle, high = (float(edge) for edge in band)
    score = (here - expected) / found.sigma
    change = _change(replace(grid, values=np.append(grid.values[:-1], here)), found, config)
    status: Status = "normal"
    reason = f"{value:,.6g} is as expected ({low:,.6g} to {high:,.6g})"
    if abs(here - expected) > reach:
        side = "above" if here > expected else "below"
        status = "anomaly"
        reason = (
            f"{value:,.6g} is {side} the expected {low:,.6g} to {high:,.6g}: {abs(score):.1f} "
            f"standard deviations from {middle:,.6g}{_season(found.forecast)}"
        )
    elif change:
        side = "above" if change > 0 else "below"
        status = "anomaly"
        reason = f"values keep lying {side} what was expected: the level changes"
    return Verdict(status, score, middle, low, high, reason, seen, config.minimum_history)


def _change(grid: Grid, found: Expectation, config: Judging) -> int:
    """Whether a slow change shows now: against a level that is slow to follow."""
    if grid.step_s < _LEAST_STEP_S:
        return 0  # the level of hours wanders from day to day
    level = grid.values - found.forecast.pattern
    residuals = level - level_forecast(level, LONG, _RECENT)
    known = _known(residuals[-_CHANGE_WINDOW:])
    if len(known) < LEAST_STEPS or np.isnan(residuals[-1]):
        return 0
    sigma = scale_of(known, floor_of(float(level[-1]))).sigma
    return changes_now(known / sigma, config.limits.change, LONG)


def _recent(grid: Grid) -> int:
    """Steps whose errors count: with hours two weeks, so that they hold weekends."""
    return max(_RECENT, *(2 * season for season in grid.seasons), 0)


def _season(forecast: Forecast) -> str:
    return f", by the pattern of {forecast.season} steps" if forecast.season else ""


def _known(values: Floats) -> Floats:
    return values[~np.isnan(values)]
