"""The regular grid that points in time lie on, and the seasons that such a grid may have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from etl_platform.quality.anomalies.robust import Floats

HOUR_S, DAY_S = 3_600.0, 86_400.0
_TOLERANCE = 0.1
_LEAST_REGULAR = 0.8
_LONGEST_GAP = 400
_SEASONS_OF_STEP = (
    # Length of a step, and the number of steps after which a pattern may repeat.
    (DAY_S, (7,)),
    (HOUR_S, (24, 168)),
    (6 * HOUR_S, (4, 28)),
    (12 * HOUR_S, (2, 14)),
    (HOUR_S / 2, (48,)),
    (HOUR_S / 4, (96,)),
    (30.44 * DAY_S, (12,)),
)


@dataclass(frozen=True, slots=True)
class Grid:
    """Points on a regular grid: ``values`` has NaN where a step has no point.

    ``seasons`` are the numbers of steps after which a pattern may repeat, none where points come
    without regularity.
    """

    step_s: float
    values: Floats
    seasons: tuple[int, ...]


def step_of(times: Floats) -> tuple[float, bool]:
    """The usual distance of points in seconds, and whether most distances are multiples of it."""
    gaps = np.diff(times)
    step = float(np.median(gaps)) if len(gaps) else 0.0
    if step <= 0:
        return 1.0, False
    steps = gaps / step
    off = np.abs(steps - np.maximum(np.round(steps), 1))
    return step, bool(np.mean(off <= _TOLERANCE * np.maximum(steps, 1)) >= _LEAST_REGULAR)


def grid_of(times: Floats, values: Floats, at: float) -> Grid:
    """Lay points on a grid whose last step is that of the time ``at``, without a value yet.

    Args:
        times: seconds since the epoch, ascending.
        at: a later time.
    """
    step, regular = step_of(times)
    if not regular:
        return Grid(step, np.append(values, np.nan), ())
    # Distances are rounded one by one: months differ, and clocks change.
    steps = np.round(np.diff(np.append(times, at)) / step)
    places = np.append(0, np.cumsum(np.clip(steps, 1, _LONGEST_GAP))).astype(np.int64)
    laid = np.full(places[-1] + 1, np.nan)
    laid[places[:-1]] = values
    seasons = next(
        (found for length, found in _SEASONS_OF_STEP if abs(step - length) <= _TOLERANCE * length),
        (),
    )
    return Grid(step, laid, seasons)
