"""What a folder or a bucket offers: which objects are one table, in which form, how much of it.

>>> from etl_platform.generate.objects import inspect_objects, place_of
>>> inspect_objects(place_of("s3://bucket/incoming/**/*.csv.gz"))             # doctest: +SKIP
"""

from __future__ import annotations

from etl_platform.generate.objects.addresses import Place, is_place, place_of
from etl_platform.generate.objects.component import component_yaml, declaration
from etl_platform.generate.objects.inspecting import inspect_objects
from etl_platform.generate.objects.model import (
    BadObject,
    Column,
    Estimate,
    LeftAside,
    ObjectsInspection,
    Partition,
    TableCandidate,
)

__all__ = [
    "BadObject",
    "Column",
    "Estimate",
    "LeftAside",
    "ObjectsInspection",
    "Partition",
    "Place",
    "TableCandidate",
    "component_yaml",
    "declaration",
    "inspect_objects",
    "is_place",
    "place_of",
]
