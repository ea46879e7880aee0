"""From an address to the files of a pipeline: look, describe, write, merge with what is there.

>>> from etl_platform.generate.pipeline import Ask, kind_of, plan
>>> ask = Ask("env://SHOP_URL", name="shop", secret="SHOP_URL")
>>> plan(defs, kind_of(ask.uri).describe(ask)).apply(defs)                    # doctest: +SKIP
"""

from __future__ import annotations

from etl_platform.generate.pipeline.drift import Conflict
from etl_platform.generate.pipeline.kinds import KINDS, Kind, kind_of, name_of
from etl_platform.generate.pipeline.model import Ask, Secret, Source
from etl_platform.generate.pipeline.planning import Change, Plan, existing_attributes, plan
from etl_platform.generate.pipeline.writing import files_of

__all__ = [
    "KINDS",
    "Ask",
    "Change",
    "Conflict",
    "Kind",
    "Plan",
    "Secret",
    "Source",
    "existing_attributes",
    "files_of",
    "kind_of",
    "name_of",
    "plan",
]
