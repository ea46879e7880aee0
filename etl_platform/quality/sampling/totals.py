"""How many rows a table has, and totals over them, where they were not counted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from etl_platform.quality.sampling import intervals
from etl_platform.quality.sampling.design import Clusters
from etl_platform.quality.sampling.model import CONFIDENCE, Estimate
from etl_platform.quality.sampling.student import Z, t_quantile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from etl_platform.quality.sampling.variance import Drawn, Numbers


def counted(rows: int) -> Estimate:
    """A number of rows that is known."""
    return Estimate(value=rows, low=rows, high=rows, confidence=1.0, method="counted")


def estimated_rows(drawn: int, probability: float) -> Estimate:
    """Rows of a table of which each came into the sample with ``probability``: a score interval.

    All N that a binomial draw of this size does not contradict: |n - Np| <= z sqrt(Np(1 - p)),
    solved for Np as Wilson (1927) does for a share.
    """
    z2 = Z * Z * (1 - probability)
    centre, half = drawn + z2 / 2, math.sqrt(z2 * (drawn + z2 / 4))
    return Estimate(
        value=round(drawn / probability),
        low=max(drawn, math.floor((centre - half) / probability)),
        high=math.ceil((centre + half) / probability),
        confidence=CONFIDENCE,
        method="expansion by the sampling probability, binomial score",
    )


def estimated_rows_of_clusters(sizes: NDArray[np.int64], share: float) -> Estimate:
    """Rows of a table of whose clusters each was drawn with probability ``share``.

    Horvitz & Thompson (1952), JASA 47: 663-685, for independent draws: the sum over the share, with
    variance (1 - share) / share^2 times the sum of squared sizes.
    """
    total, clusters = int(sizes.sum()), len(sizes)
    method = "Horvitz-Thompson over clusters, t"
    if clusters < intervals.LEAST_CLUSTERS and share < 1:
        note = f"{clusters} clusters are too few: {intervals.LEAST_CLUSTERS} make an interval"
        return Estimate(value=round(total / share), method=method, note=note)
    error = math.sqrt((1 - share) * float(np.square(sizes, dtype=np.float64).sum())) / share
    half = t_quantile(max(1, clusters - 1)) * error
    return Estimate(
        value=round(total / share),
        low=max(total, math.floor(total / share - half)),
        high=math.ceil(total / share + half),
        confidence=CONFIDENCE,
        method=method,
    )


def rows_of_equal_draws(sizes: NDArray[np.int64], share: float) -> Estimate:
    """Rows of a table of whose series or ranges, empty ones too, a fixed number was drawn.

    Their number times the mean size: Cochran (1977), section 9A.1, equation 9A.1.
    """
    drawn = len(sizes)
    value = float(sizes.sum()) / share
    method = "number of clusters times their mean size, t"
    if drawn < intervals.LEAST_CLUSTERS and share < 1:
        note = f"{drawn} clusters are too few: {intervals.LEAST_CLUSTERS} make an interval"
        return Estimate(value=round(value), method=method, note=note)
    error = float(np.std(sizes, ddof=1)) * math.sqrt((1 - share) * drawn) / share
    half = t_quantile(drawn - 1) * error
    return Estimate(
        value=round(value),
        low=max(int(sizes.sum()), math.floor(value - half)),
        high=math.ceil(value + half),
        confidence=CONFIDENCE,
        method=method,
    )


def total(drawn: Drawn, y: Numbers) -> Estimate:
    """Sum of ``y`` (0 where null) over all rows of the table.

    Where the table's rows are counted: that many means. Where they are estimated too, the sum over
    the sampling probability (Horvitz & Thompson 1952), its error by that of independent draws.
    """
    rows, everywhere = drawn.design.rows, np.ones(drawn.rows)
    if rows.confidence == 1.0 and isinstance(rows.value, int):
        found = intervals.mean(drawn, y, everywhere, float(rows.value))
        return found.model_copy(update={"method": f"rows times mean: {found.method}"})
    method = "Horvitz-Thompson, t"
    probability = drawn.design.probability
    if probability is None:
        return intervals.unclaimed(None, method, "the table's rows are not known")
    parts = np.asarray(y)
    if isinstance(drawn.design.units, Clusters):
        parts = np.bincount(drawn.unit, y, minlength=drawn.design.units.drawn)
    value, squares = float(parts.sum()) / probability, float(np.square(parts).sum())
    least = intervals.LEAST_CLUSTERS
    if len(parts) < least:
        return intervals.unclaimed(value, method, f"{len(parts)} draws are too few")
    half = t_quantile(len(parts) - 1) * math.sqrt((1 - probability) * squares) / probability
    return Estimate(
        value=value, low=value - half, high=value + half, confidence=CONFIDENCE, method=method
    )
