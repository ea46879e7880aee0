"""Declare where data lives; get Dagster assets that are checked, profiled, kept and queryable.

The package's own names are loaded when they are first used, so that ``import etl_platform`` costs
nothing: :class:`~etl_platform.platform.Platform`, and the Dagster components, which makes
``etl_platform.DatabaseSourceComponent`` the type to write in YAML.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from etl_platform.platform import Platform

__version__ = "0.1.0"

__all__ = ["Platform", "__version__"]
_PIPELINE = "pipeline"


def __getattr__(name: str) -> object:
    if name == "Platform":
        return import_module("etl_platform.platform").Platform
    if name.endswith("Component"):
        found: object = getattr(import_module("etl_platform.components"), name, None)
        if found is not None:
            return found
    if name == _PIPELINE:
        return import_module("etl_platform.components.pipeline_scaffolder").pipeline
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    # `dg` finds what it can scaffold by listing this module.
    components: list[str] = import_module("etl_platform.components").__all__
    return sorted({*globals(), *__all__, *components, _PIPELINE})
