"""The kinds of steps, by the names that they have in YAML."""

from __future__ import annotations

from collections.abc import Mapping

from etl_platform.transforms.steps.base import Built, Guard, Step, StepContext
from etl_platform.transforms.steps.columns import (
    Cast,
    Derive,
    Drop,
    Fill,
    Mask,
    Rename,
    Select,
    Split,
)
from etl_platform.transforms.steps.enrich import Enrich
from etl_platform.transforms.steps.groups import Aggregate, Sessionise, Window
from etl_platform.transforms.steps.joins import AsofJoin, Join, Lookup
from etl_platform.transforms.steps.python import Python
from etl_platform.transforms.steps.rows import Deduplicate, Filter, Sample, Union
from etl_platform.transforms.steps.rules import Rules
from etl_platform.transforms.steps.shapes import Explode, Pivot, Unnest, Unpivot

STEPS: Mapping[str, type[Step]] = {
    "select": Select,
    "drop": Drop,
    "rename": Rename,
    "cast": Cast,
    "derive": Derive,
    "fill": Fill,
    "split": Split,
    "mask": Mask,
    "filter": Filter,
    "deduplicate": Deduplicate,
    "sample": Sample,
    "union": Union,
    "explode": Explode,
    "unnest": Unnest,
    "pivot": Pivot,
    "unpivot": Unpivot,
    "join": Join,
    "lookup": Lookup,
    "asof_join": AsofJoin,
    "enrich": Enrich,
    "aggregate": Aggregate,
    "window": Window,
    "sessionise": Sessionise,
    "rules": Rules,
    "python": Python,
}

__all__ = ["STEPS", "Built", "Guard", "Step", "StepContext"]
