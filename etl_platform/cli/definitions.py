"""What a module defines for Dagster, for commands that look at definitions."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import dagster as dg
    from dagster.components.core.component_tree import ComponentTree


def definitions_of(module: str) -> dg.Definitions:
    """What a module defines, as Dagster finds it there: modules of the working directory, too.

    Raises:
        ConfigError: it cannot be imported, or defines nothing.
    """
    import dagster as dg
    from dagster.components.definitions import LazyDefinitions

    from etl_platform.core.errors import ConfigError

    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        loaded = import_module(module)
    except ImportError as error:
        raise ConfigError(f"module {module!r} cannot be loaded: {error}") from error
    for value in vars(loaded).values():
        if isinstance(value, dg.Definitions):
            return value
        if isinstance(value, LazyDefinitions):
            with _without_catalogue():
                made = value()
            if isinstance(made, dg.Definitions):
                return made
    raise ConfigError(
        f"module {module!r} defines nothing for Dagster", fix="name the module with --module"
    )


@contextmanager
def _without_catalogue() -> Generator[None]:
    """Load definitions without the JSON schema of every component type that is installed.

    Only Dagster's UI shows it. Making it imports every package that registers components, boto3
    among what those need, and takes half of the time of a load.
    """
    import dagster as dg
    from dagster.components.core import load_defs

    name = "get_library_json_enriched_defs"
    before = getattr(load_defs, name, None)
    if before is None:  # another release: as Dagster does it
        yield
        return

    def tree_alone(tree: ComponentTree | None) -> dg.Definitions:
        return dg.Definitions(component_tree=tree)

    setattr(load_defs, name, tree_alone)
    try:
        yield
    finally:
        setattr(load_defs, name, before)
