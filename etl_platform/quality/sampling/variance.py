"""How far an estimate from a sample may be off, by the way its rows were drawn.

Everything is a ratio of two totals: a mean is the total of the values over the number of rows that
have one. Its variance is that of the total of the residuals ``e = y - R x`` (Taylor linearisation),
which each design estimates in its own way (Cochran, *Sampling Techniques*, 3rd ed. 1977).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from etl_platform.quality.sampling.design import Clusters, Strata

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from etl_platform.quality.sampling.design import Sample

    Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ratio:
    """An estimated ratio of totals.

    Attributes:
        value: the ratio; NaN where no row counts.
        variance: its estimated variance; NaN where nothing tells.
        df: degrees of freedom of the variance by the design.
        heavy_df: the same by how unequal the squared deviations are: few where few units make
            most of the variance. Satterthwaite's two moments: twice the squared variance over the
            variance of the variance.
        skewness: of the estimator, by the third moment of what was drawn: that of the values over
            the root of their number.
        units: rows that count, or clusters.
    """

    value: float
    variance: float
    df: float
    heavy_df: float
    skewness: float
    units: int


class Drawn:
    """A sample's weights and its variance formula, made once for all statistics."""

    def __init__(self, sample: Sample) -> None:
        design, rows = sample.design, sample.data.num_rows
        self.rows = rows
        self.design = design
        self.unit = sample.unit
        self.weights: Numbers = np.ones(rows)
        self._sizes = self._counts = np.zeros(0)
        if isinstance(design.units, Strata):
            self._sizes = np.asarray(design.units.sizes, dtype=np.float64)
            self._counts = np.bincount(self.unit, minlength=len(self._sizes)) * 1.0
            self.weights = self._sizes[self.unit] / self._counts[self.unit]
        population = design.population
        units = design.units
        of_rows = 0.0 if not population else min(1.0, rows / population)
        self.fraction = units.share if isinstance(units, Clusters) else of_rows
        """Part of all units that was drawn, for the finite population correction."""

    def ratio(self, y: Numbers, x: Numbers) -> Ratio:
        """Estimate total of ``y`` over total of ``x`` (0 or 1 per row; y is 0 where x is)."""
        whole = _dot(self.weights, x)
        if whole == 0:
            return Ratio(np.nan, np.nan, 0, 0, 0, 0)
        value = _dot(self.weights, y) / whole
        residuals = y - value * x
        match self.design.units:
            case Clusters() as clusters:
                variance, df, parts = self._of_clusters(residuals, clusters)
                units = clusters.drawn
            case Strata():
                variance, df, parts = self._of_strata(residuals)
                units = int(x.sum())
            case _:
                units = int(x.sum())
                variance, df, parts = self._of_rows(residuals, units)
        squares = _dot(parts, parts)
        if not squares > 0:
            return Ratio(value, variance / whole**2, df, df, 0, units)
        fourth = float(np.square(np.square(parts)).sum()) - squares**2 / units
        heavy_df = 2 * squares**2 / fourth if fourth > 0 else df
        skewness = _dot(np.square(parts), parts) / squares**1.5 * np.sqrt(1 - self.fraction)
        return Ratio(value, variance / whole**2, df, min(df, heavy_df), skewness, units)

    def _of_rows(self, residuals: Numbers, counting: int) -> tuple[float, float, Numbers]:
        """Simple random sampling, for the rows that count: Cochran, sections 2.6 and 2.12."""
        if counting < 2:
            return np.nan, 0, residuals
        squares = _dot(residuals, residuals)
        variance = (1 - self.fraction) * squares * counting / (counting - 1)
        return variance, counting - 1, residuals

    def _of_strata(self, residuals: Numbers) -> tuple[float, float, Numbers]:
        """Cochran, theorem 5.3 for the variance, equation 5.16 (Satterthwaite) for its freedom."""
        sizes, counts = self._sizes, self._counts
        strata = len(sizes)
        sums = np.bincount(self.unit, residuals, minlength=strata)
        centred = residuals - (sums / np.maximum(counts, 1))[self.unit]
        squares = np.bincount(self.unit, centred**2, minlength=strata)
        taken = counts >= sizes
        if np.any((counts < 2) & ~taken):
            return np.nan, 0, residuals
        free = np.maximum(counts - 1, 1)
        parts = sizes * np.maximum(sizes - counts, 0) / np.maximum(counts, 1) * squares / free
        variance = float(parts.sum())
        df = variance**2 / float((parts**2 / free).sum()) if variance > 0 else float(self.rows - 1)
        return variance, df, centred * np.where(taken[self.unit], 0.0, self.weights)

    def _of_clusters(self, residuals: Numbers, clusters: Clusters) -> tuple[float, float, Numbers]:
        """Ratio to size of whole clusters drawn at random: Cochran, section 9A.1, equation 9A.3."""
        drawn = clusters.drawn
        if drawn < 2:
            return np.nan, 0, residuals
        totals: Numbers = np.zeros(drawn)
        totals += np.bincount(self.unit, residuals, minlength=drawn)
        variance = (1 - self.fraction) * drawn / (drawn - 1) * _dot(totals, totals)
        return variance, drawn - 1, totals


def _dot(left: Numbers, right: Numbers) -> float:
    """Not by BLAS, whose threads wait for each other longer than such a sum takes."""
    return float(np.multiply(left, right).sum())
