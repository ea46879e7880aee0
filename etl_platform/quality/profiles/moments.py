"""Mean, spread and shape of numbers, exact under merging."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Moments(BaseModel):
    """Number of values, their mean, and the sums of powers 2 to 4 of the distances from it.

    Merged by the pairwise formulas of Chan, Golub and LeVeque (1979) and Pébay (2008), which do not
    lose digits as sums of raw powers do.
    """

    # Sums of powers of huge numbers may be infinite: kept as they are.
    model_config = ConfigDict(frozen=True, ser_json_inf_nan="constants")

    n: int = 0
    mean: float = 0.0
    m2: float = 0.0
    m3: float = 0.0
    m4: float = 0.0

    @classmethod
    def of(cls, values: NDArray[np.float64], rows: NDArray[np.int64] | None = None) -> Moments:
        """Moments of finite values, each occurring ``rows`` times (default: once)."""
        import numpy as np

        n = len(values) if rows is None else int(rows.sum())
        if not n:
            return cls()
        weights = None if rows is None else rows.astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(values.mean() if weights is None else (values * weights).sum() / n)
            away = values - mean
            squares = away * away
            heavy = squares if weights is None else squares * weights
            # Not by BLAS: its threads cost more than these sums, beside those of DuckDB.
            return cls(
                n=n,
                mean=mean,
                m2=float(heavy.sum()),
                m3=float(np.einsum("i,i->", heavy, away)),
                m4=float(np.einsum("i,i->", heavy, squares)),
            )

    def merge(self, other: Moments) -> Moments:
        if not self.n or not other.n:
            return self if self.n else other
        a, b = self, other
        n = a.n + b.n
        d = b.mean - a.mean
        share = a.n * b.n / n
        m2 = a.m2 + b.m2 + d * d * share
        m3 = (
            a.m3
            + b.m3
            + d * d * d * share * (a.n - b.n) / n
            + 3 * d * (a.n * b.m2 - b.n * a.m2) / n
        )
        m4 = (
            a.m4
            + b.m4
            + (d * d) * (d * d) * share * (a.n * a.n - a.n * b.n + b.n * b.n) / (n * n)
            + 6 * d * d * (a.n * a.n * b.m2 + b.n * b.n * a.m2) / (n * n)
            + 4 * d * (a.n * b.m3 - b.n * a.m3) / n
        )
        return Moments(n=n, mean=a.mean + d * b.n / n, m2=m2, m3=m3, m4=m4)

    @property
    def std(self) -> float | None:
        """Standard deviation of a sample (n - 1); None for fewer than two values."""
        return _finite(math.sqrt(self.m2 / (self.n - 1))) if self.n > 1 and self.m2 >= 0 else None

    @property
    def skewness(self) -> float | None:
        """Third standardised moment of the population; None when all values are equal."""
        if not self._varies:
            return None
        return _finite(math.sqrt(self.n) * self.m3 / self.m2 / math.sqrt(self.m2))

    @property
    def kurtosis(self) -> float | None:
        """Excess kurtosis of the population (0 for a normal distribution)."""
        return _finite(self.n * self.m4 / self.m2 / self.m2 - 3) if self._varies else None

    @property
    def _varies(self) -> bool:
        # Rounding alone leaves a trace of spread around a large mean.
        rounding = self.mean * 2.0**-52
        noise = self.n * rounding * rounding
        return math.isfinite(self.m2) and self.m2 > max(noise, 1e-300)


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
