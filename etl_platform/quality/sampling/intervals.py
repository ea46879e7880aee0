"""95 % intervals of means, shares and quantiles, or the reason why none is claimed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from etl_platform.quality.sampling.design import Clusters, Rows, Strata
from etl_platform.quality.sampling.model import CONFIDENCE, Estimate
from etl_platform.quality.sampling.student import Z, order_ranks, t_quantile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from etl_platform.quality.sampling.variance import Drawn, Numbers, Ratio

LEAST_CLUSTERS = 60
"""Fewer clusters make no interval: with 30 pages of a table in the order of time, intervals of what
came in bursts covered the truth in 90 of 100 samples instead of 95."""
_CLUSTERED = 1.5
_NOTHING = 1e-24


def unclaimed(value: float | None, method: str, note: str) -> Estimate:
    """A statistic without an interval."""
    finite = None if value is None or not math.isfinite(value) else value
    return Estimate(value=finite, method=method, note=note)


def mean(drawn: Drawn, y: Numbers, x: Numbers, scale: float = 1.0) -> Estimate:
    """Mean of ``y`` over the rows where ``x`` is 1, times ``scale``: t, corrected for skewness.

    The correction is the cubic transformation of Hall (1992), "On the removal of skewness by
    transformation", J. R. Statist. Soc. B 54: 221-228, which moves the interval towards the long
    tail; where the values are symmetric it is Student's t. Its degrees of freedom are fewer where
    few values make most of the variance (:attr:`.Ratio.heavy_df`).
    """
    found = drawn.ratio(y, x)
    value = found.value * scale
    method = f"Student's t, corrected for skewness, {_correction(drawn)}"
    if reason := _no_claim(drawn, found):
        return unclaimed(value, method, reason)
    if found.variance <= _NOTHING * found.value**2 and drawn.fraction < 1:
        return unclaimed(value, method, "all values of the sample are the same")
    below, above = _errors(found)
    low, high = sorted((value - above * scale, value - below * scale))
    return Estimate(value=value, low=low, high=high, confidence=CONFIDENCE, method=method)


def _errors(found: Ratio) -> tuple[float, float]:
    """Between which the estimate's error lies in 95 of 100 cases: Hall's transformation, inverted.

    With ``g(t) = t + s t^2 / 3 + s^2 t^3 / 27 + s / 6`` nearly t-distributed, s being the skewness.
    """
    t, s, error = t_quantile(found.heavy_df), found.skewness, math.sqrt(found.variance)
    if abs(s) < 1e-6:
        return -t * error, t * error
    low, high = (3 / s * (math.cbrt(1 + s * (u - s / 6)) - 1) for u in (-t, t))
    return low * error, high * error


def share(drawn: Drawn, y: Numbers, x: Numbers) -> Estimate:
    """Share of the rows with ``x`` = 1 that have ``y`` = 1: Wilson's score interval.

    Wilson (1927), JASA 22: 209-212. The number of rows is the effective one: rows drawn at random
    that would have the same variance, reduced for the degrees of freedom (Korn & Graubard 1998,
    Survey Methodology 24: 193-201), which makes the interval one for strata too (Franco et al.
    2019, J. Survey Statistics and Methodology 7: 334-364). Between clusters this holds for what is
    spread over the table; where the design effect says that it comes in bursts (above 1.5), few
    clusters hold most of it, and the interval is that of a :func:`mean`.
    """
    found = drawn.ratio(y, x)
    method = f"Wilson score, {_correction(drawn)}"
    if reason := _no_claim(drawn, found):
        return unclaimed(found.value, method, reason)
    if isinstance(drawn.design.units, Clusters) and _clustered(drawn, found, x):
        below, above = _errors(found)
        low, high = max(0.0, found.value - above), min(1.0, found.value - below)
        method = f"Student's t, corrected for skewness, {_correction(drawn)}"
    elif isinstance(drawn.design.units, Strata) and _settled(found):
        return Estimate(
            value=found.value, low=found.value, high=found.value, confidence=1.0, method="counted"
        )
    else:
        low, high = wilson(found.value, _effective(drawn, found))
    return Estimate(value=found.value, low=low, high=high, confidence=CONFIDENCE, method=method)


def _clustered(drawn: Drawn, found: Ratio, x: Numbers) -> bool:
    of_rows = found.value * (1 - found.value) / float(x.sum()) * (1 - drawn.fraction)
    return found.variance > _CLUSTERED * of_rows > 0


def wilson(p: float, n: float) -> tuple[float, float]:
    """Wilson's interval for a share ``p`` seen in ``n`` (effective) rows."""
    if math.isinf(n):
        return p, p
    z2 = Z * Z
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return (0.0 if p == 0 else max(0.0, centre - half)), (
        1.0 if p == 1 else min(1.0, centre + half)
    )


def _effective(drawn: Drawn, found: Ratio) -> float:
    p = found.value
    if isinstance(drawn.design.units, Rows):
        free = 1 - drawn.fraction
        return found.units / free if free > 0 else math.inf
    if p in (0.0, 1.0) or found.variance <= 0:
        # Nothing varies in the sample: as many as were drawn independently.
        return float(found.units)
    df = found.heavy_df if isinstance(drawn.design.units, Clusters) else found.df
    return p * (1 - p) / found.variance * (Z / t_quantile(df)) ** 2


@dataclass(frozen=True, slots=True)
class Positions:
    """Where in the sorted sample a quantile and the ends of its interval stand; or why not."""

    here: int
    low: int
    high: int
    method: str
    why: str | None = None


def quantile_positions(drawn: Drawn, q: float, ordered: Ordered) -> Positions:
    """Positions in the sorted sample of the q-quantile and of its interval's ends.

    Rows drawn one by one from a much larger table: order statistics with binomial ranks. Otherwise
    Woodruff (1952), JASA 47: 635-646: an interval of the share of values up to the estimate,
    by the design's variance, read back as values. Where many rows have the same value it covers
    more often than 95 of 100 times.
    """
    n = len(ordered.cumulated)
    here = min(n - 1, int(np.searchsorted(ordered.cumulated, q - 1e-12)))
    if isinstance(drawn.design.units, Rows) and drawn.fraction <= 0.05:
        method = "order statistics with binomial ranks"
        ranks = order_ranks(n, q)
        if ranks is None:
            return Positions(here, here, here, method, f"{n} values are too few")
        return Positions(here, ranks[0] - 1, ranks[1] - 1, method)
    method = f"Woodruff, {_correction(drawn)}"
    y = np.zeros(drawn.rows)
    y[ordered.rows[: here + 1]] = 1.0
    found = drawn.ratio(y, ordered.present)
    if reason := _no_claim(drawn, found):
        return Positions(here, here, here, method, reason)
    half = t_quantile(found.heavy_df) * math.sqrt(found.variance)
    if (q - half <= 0 or q + half >= 1) and half > 0:
        return Positions(here, here, here, method, f"{n} values are too few")
    low, high = np.searchsorted(ordered.cumulated, [q - half - 1e-12, q + half - 1e-12])
    return Positions(here, int(low), min(n - 1, int(high)), method)


class Ordered:
    """The non-null values of a column in order, with the share of the table up to each.

    Attributes:
        rows: row numbers in the order of their values.
        cumulated: share of the weights up to and including each.
        present: 1 for every row that has a value.
    """

    def __init__(self, drawn: Drawn, rows: NDArray[np.int64]) -> None:
        self.rows = rows
        weights = np.cumsum(drawn.weights[rows])
        self.cumulated = weights / weights[-1]
        self.present: Numbers = np.zeros(drawn.rows)
        self.present[rows] = 1.0


def _settled(found: Ratio) -> bool:
    """Whether the share follows from the sizes of the strata: it differs between them only."""
    return 0 < found.value < 1 and found.variance <= _NOTHING


def _no_claim(drawn: Drawn, found: Ratio) -> str | None:
    units = drawn.design.units
    if found.units == 0:
        return "no row of the sample has a value"
    if math.isnan(found.variance):
        return "too few rows"
    if isinstance(units, Clusters) and units.drawn < LEAST_CLUSTERS and units.share < 1:
        return f"{units.drawn} {units.kind} are too few: {LEAST_CLUSTERS} make an interval"
    return None


def _correction(drawn: Drawn) -> str:
    match drawn.design.units:
        case Clusters(kind=kind):
            return f"variance between {kind}"
        case Rows():
            return "finite population correction"
        case _:
            return "stratified variance"
