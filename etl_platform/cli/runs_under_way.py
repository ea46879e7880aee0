"""Runs that are under way or said to be, for commands that must not wait for Dagster."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from etl_platform.lost_runs import LostRun
    from etl_platform.runs_now import RunNow

_UNFINISHED = "SELECT count(*) FROM runs WHERE status IN ('STARTING', 'STARTED', 'CANCELING')"


def runs_under_way() -> tuple[tuple[RunNow, ...], tuple[LostRun, ...]]:
    """Runs that somebody works on, and those below ``DAGSTER_HOME`` whose process is gone.

    Dagster, whose import takes longer than everything else here, is asked only where a run is said
    to be under way.
    """
    home = os.environ.get("DAGSTER_HOME")
    if not home or not _any_unfinished(Path(home).expanduser() / "history" / "runs.db"):
        return (), ()

    from etl_platform.cli.instances import open_instance
    from etl_platform.lost_runs import lost_runs
    from etl_platform.runs_now import runs_now

    with open_instance() as instance:
        gone = lost_runs(instance)
        lost = {one.run_id for one in gone}
        return tuple(one for one in runs_now(instance) if one.run_id not in lost), gone


def _any_unfinished(file: Path) -> bool:
    if os.environ.get("ETL_DAGSTER_PG_URL"):
        # Asking PostgreSQL by ourselves would take as long as by Dagster.
        return True
    if not file.exists():
        return False
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as con:
        try:
            (count,) = con.execute(_UNFINISHED).fetchone()
        except sqlite3.OperationalError:
            # Locked, or made by a Dagster that had no such table yet: Dagster says which.
            return True
    return count > 0
