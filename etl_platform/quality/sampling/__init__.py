"""Some rows instead of all, chosen by a stated design, with intervals that fit the design.

spec = SampleSpec.parse("random:20000", seed=7)
sampled_profile(sample(database, table, spec))
"""

from __future__ import annotations

from etl_platform.quality.sampling.model import (
    Estimate,
    SampledColumn,
    SampledProfile,
    SampledQuantile,
    SampledValue,
)
from etl_platform.quality.sampling.spec import SampleSpec, Strategy

__all__ = [
    "Estimate",
    "SampleSpec",
    "SampledColumn",
    "SampledProfile",
    "SampledQuantile",
    "SampledValue",
    "Strategy",
]
