"""Quantiles of the distributions that intervals are made of, without SciPy."""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

from etl_platform.quality.sampling.model import CONFIDENCE

Z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
"""1.96: half the width of a 95 % interval in standard errors."""


@lru_cache(maxsize=512)
def t_quantile(df: float) -> float:
    """Student's t that is exceeded in absolute value with probability 5 %.

    Hill (1970), "Algorithm 396: Student's t-quantiles", CACM 13(10): 619-620; right to five digits
    from 3 degrees of freedom on, exact for 1 and 2. Fractions of a degree, as Satterthwaite's
    formula gives them, are allowed.
    """
    p = 1 - CONFIDENCE
    if df <= 1:
        return 1 / math.tan(p * math.pi / 2)
    if df <= 2:
        return math.sqrt(2 / (p * (2 - p)) - 2)
    a = 1 / (df - 0.5)
    b = 48 / (a * a)
    c = ((20700 * a / b - 98) * a - 16) * a + 96.36
    d = ((94.5 / (b + c) - 3) / b + 1) * math.sqrt(a * math.pi / 2) * df
    y = (d * p) ** (2 / df)
    if y > 0.05 + a:
        x = NormalDist().inv_cdf(p / 2)
        y = x * x
        if df < 5:
            c += 0.3 * (df - 4.5) * (x + 0.6)
        c += (((0.05 * d * x - 5) * x - 7) * x - 2) * x + b
        y = (((((0.4 * y + 6.3) * y + 36) * y + 94.5) / c - y - 3) / b + 1) * x
        y = math.expm1(a * y * y)
    else:
        y = (
            (1 / (((df + 6) / (df * y) - 0.089 * d - 0.822) * (df + 2) * 3) + 0.5 / (df + 4)) * y
            - 1
        ) * (df + 1) / (df + 2) + 1 / y
    return math.sqrt(df * y)


@lru_cache(maxsize=4096)
def order_ranks(n: int, q: float) -> tuple[int, int] | None:
    """Ranks l and u (from 1) between whose order statistics the q-quantile lies in 95 of 100 cases.

    Of all pairs that leave at most 2.5 % on each side by the binomial distribution, the innermost:
    David & Nagaraja, *Order Statistics* (2003), section 7.1. None when n values are too few.
    """
    first, below = _binomial_cdf(n, q)
    tail = (1 - CONFIDENCE) / 2
    low = first + int((below <= tail).sum())  # the largest l with P(X <= l - 1) <= 2.5 %
    high = first + int((below < 1 - tail).sum()) + 1  # the smallest u with P(X <= u - 1) >= 97.5 %
    return (low, high) if low >= 1 and high <= n else None


@lru_cache(maxsize=8)
def _log_factorials(n: int) -> NDArray[np.float64]:
    import numpy as np

    return np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])


def _binomial_cdf(n: int, q: float) -> tuple[int, NDArray[np.float64]]:
    """The first k within ten standard deviations (and ten) of the mean, and P(X <= k) from there.

    What lies outside is less than rounding, and would be worked with as slow subnormal numbers.
    """
    import numpy as np

    reach = 10 * math.sqrt(n * q * (1 - q)) + 10
    k = np.arange(max(0, math.floor(n * q - reach)), min(n, math.ceil(n * q + reach)) + 1)
    logs = _log_factorials(n)
    log_p = logs[n] - logs[k] - logs[n - k] + k * math.log(q) + (n - k) * math.log1p(-q)
    return int(k[0]), np.cumsum(np.exp(log_p))
