"""Runs that nobody works on any more, for commands that must not wait for Dagster."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from etl_platform.lost_runs import LostRun

_UNFINISHED = "SELECT count(*) FROM runs WHERE status IN ('STARTING', 'STARTED', 'CANCELING')"


def runs_gone() -> tuple[LostRun, ...]:
    """The runs in SQLite below ``DAGSTER_HOME`` whose process is gone.

    Dagster, whose import takes longer than everything else here, is asked only where a run is said
    to be under way.
    """
    home = os.environ.get("DAGSTER_HOME")
    if not home or not _any_unfinished(Path(home).expanduser() / "history" / "runs.db"):
        return ()

    from etl_platform.cli.instances import open_instance
    from etl_platform.lost_runs import lost_runs

    with open_instance() as instance:
        return lost_runs(instance)


def _any_unfinished(file: Path) -> bool:
    if not file.exists():
        return False
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as con:
        try:
            (count,) = con.execute(_UNFINISHED).fetchone()
        except sqlite3.OperationalError:
            # Locked, or made by a Dagster that had no such table yet: Dagster says which.
            return True
    return count > 0
