"""How many distinct values a table has, guessed from some of its rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from etl_platform.quality.sampling.design import Rows
from etl_platform.quality.sampling.model import Estimate
from etl_platform.quality.sampling.variance import Drawn

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_METHOD = "Guaranteed-Error Estimator"


def distinct(drawn: Drawn, counts: NDArray[np.int64]) -> Estimate:
    """GEE of Charikar et al. (2000), "Towards Estimation Error Guarantees for Distinct Values".

    PODS 2000, pages 268-279: values seen once count sqrt(N/n) times, others once; no estimator can
    do better than a factor of sqrt(N/n) on all tables. ``low`` is the number of distinct values
    in the sample, which is certain; ``high`` counts every value seen once N/n times. They are no
    95 % interval, so none is claimed. It holds for rows drawn at random; after any other design
    only the lower bound is given.

    Args:
        counts: rows of the sample by distinct non-null value.
    """
    seen = len(counts)
    if drawn.fraction >= 1:
        return Estimate(value=seen, low=seen, high=seen, confidence=1.0, method="counted")
    population = drawn.design.population
    if population is None or not isinstance(drawn.design.units, Rows):
        why = "rows were not drawn one by one" if population else "the table's rows are not known"
        note = f"low was seen in the sample; {why}, so nothing is said of the rest"
        return Estimate(value=None, low=seen, method="seen in the sample", note=note)
    once = int((counts == 1).sum())
    factor = max(1.0, population / max(1, drawn.rows))
    return Estimate(
        value=round(math.sqrt(factor) * once + seen - once),
        low=seen,
        high=round(factor * once + seen - once),
        method=_METHOD,
        note="low was seen in the sample, high is the method's upper bound; no 95 % interval",
    )
