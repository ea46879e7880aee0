"""Where the project of a component keeps what the component learned."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import dagster as dg

# The state of another component is read as Dagster itself reads it for `build_defs_from_state`;
# there is no public way to ask for it.
from dagster._core.definitions.definitions_load_context import DefinitionsLoadContext
from dagster._core.storage.defs_state.base import DefsStateStorage

T = TypeVar("T")


def stored_state(
    component: dg.StateBackedComponent,
    context: dg.ComponentLoadContext,
    read: Callable[[Path], T],
) -> T | None:
    """A component's state as it was last refreshed, None when it never was."""
    with DefinitionsLoadContext.get().state_path(
        component.defs_state_config, DefsStateStorage.get(), context.project_root
    ) as path:
        return None if path is None else read(path)


def refresh_command(key: str) -> str:
    """The shell command that refreshes one component's state."""
    return f"dg utils refresh-defs-state --defs-state-key '{key}'"
