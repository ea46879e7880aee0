"""Dagster's instance, as commands open it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import dagster as dg


def open_instance() -> dg.DagsterInstance:
    """The instance of DAGSTER_HOME.

    Raises:
        ConfigError: it is not set, is no folder, or its dagster.yaml is wrong.
    """
    import dagster as dg

    from etl_platform.core.errors import ConfigError

    home = os.environ.get("DAGSTER_HOME")
    if not home:
        raise ConfigError(
            "DAGSTER_HOME is not set: there are no runs to look at",
            fix="set it to the folder of dagster.yaml that runs are made with",
        )
    if not Path(home).is_absolute() or not Path(home).is_dir():
        raise ConfigError(
            f"DAGSTER_HOME is {home!r}",
            valid="the absolute path of a folder that is there",
            fix=f"mkdir -p {Path(home).absolute()}",
        )
    try:
        return dg.DagsterInstance.get()
    except dg.DagsterError as error:
        raise ConfigError(f"{home}/dagster.yaml: {error}") from error
