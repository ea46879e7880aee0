"""Some rows instead of all, chosen by a stated design, with intervals that fit the design.

spec = SampleSpec.parse("random:20000", seed=7)
sampled_profile(sample(database, table, spec))
"""

from __future__ import annotations

from etl_platform.quality.sampling.databases import sample
from etl_platform.quality.sampling.design import Design, Sample
from etl_platform.quality.sampling.model import (
    Estimate,
    SampledColumn,
    SampledProfile,
    SampledQuantile,
    SampledValue,
)
from etl_platform.quality.sampling.profile import sampled_profile
from etl_platform.quality.sampling.spec import SampleSpec, Strategy
from etl_platform.quality.sampling.tables import sample_files, sample_table

__all__ = [
    "Design",
    "Estimate",
    "Sample",
    "SampleSpec",
    "SampledColumn",
    "SampledProfile",
    "SampledQuantile",
    "SampledValue",
    "Strategy",
    "sample",
    "sample_files",
    "sample_table",
    "sampled_profile",
]
