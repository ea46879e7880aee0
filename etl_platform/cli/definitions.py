"""What a module defines for Dagster, for commands that look at definitions."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import dagster as dg


def definitions_of(module: str) -> dg.Definitions:
    """What a module defines, as Dagster finds it there.

    Raises:
        ConfigError: it cannot be imported, or defines nothing.
    """
    import dagster as dg
    from dagster.components.definitions import LazyDefinitions

    from etl_platform.core.errors import ConfigError

    try:
        loaded = import_module(module)
    except ImportError as error:
        raise ConfigError(f"module {module!r} cannot be loaded: {error}") from error
    for value in vars(loaded).values():
        if isinstance(value, dg.Definitions):
            return value
        if isinstance(value, LazyDefinitions):
            made = value()
            if isinstance(made, dg.Definitions):
                return made
    raise ConfigError(
        f"module {module!r} defines nothing for Dagster", fix="name the module with --module"
    )
