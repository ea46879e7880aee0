"""Scales on which the spread of a series does not depend on its level."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from etl_platform.quality.anomalies.robust import Floats

_BLOCK = 7
_LEAST_BLOCKS = 4
_LEAST_RANGE = 2.0


@dataclass(frozen=True, slots=True)
class Stabiliser:
    """A monotone scale with its inverse; both take and give arrays."""

    name: str
    apply: Callable[[Floats], Floats]
    undo: Callable[[Floats], Floats]


def _same(values: Floats) -> Floats:
    return values


def _root(values: Floats) -> Floats:
    return np.sqrt(np.maximum(values, 0) + 0.375)


def _square(values: Floats) -> Floats:
    return np.maximum(values, 0) ** 2 - 0.375


PLAIN = Stabiliser("plain", _same, _same)
ROOT = Stabiliser("root", _root, _square)
LOG = Stabiliser("log", np.log1p, np.expm1)


def stabiliser_of(values: Floats) -> Stabiliser:
    """The scale for a series, from how its spread grows with its level.

    Tukey's spread-versus-level plot (Exploratory Data Analysis, 1977): the slope of log spread over
    log level in blocks of seven points is 0 for additive noise, 1/2 for counts (square root, as
    Anscombe 1948) and 1 for growth in proportion (logarithm). Series with negative values, or whose
    level hardly changes, stay as they are.

    Args:
        values: in order, without NaN.
    """
    blocks = len(values) // _BLOCK
    if blocks < _LEAST_BLOCKS or values.min() < 0:
        return PLAIN
    parts = values[len(values) - blocks * _BLOCK :].reshape(blocks, _BLOCK)
    levels = np.median(parts, axis=1)
    spreads = np.median(np.abs(np.diff(parts, axis=1)), axis=1)
    usable = (levels > 0) & (spreads > 0)
    if usable.sum() < _LEAST_BLOCKS:
        return PLAIN
    x, y = np.log(levels[usable]), np.log(spreads[usable])
    if np.ptp(x) < np.log(_LEAST_RANGE):
        return PLAIN
    away = x - x.mean()
    slope = float(away @ y / (away @ away))
    if slope < 0.25:
        return PLAIN
    return ROOT if slope < 0.75 else LOG
