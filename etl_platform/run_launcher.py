"""Dagster's own launcher of runs, which also tells run monitoring when a run's process is gone.

The code server sees a worker die that it has started. When it is killed with its workers, or a run
was begun by a command, nobody does, and Dagster waits until the run is too old.
"""

from __future__ import annotations

import dagster as dg
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus

from etl_platform.lost_runs import lost_run


class LocalRunLauncher(dg.DefaultRunLauncher):
    """For runs that work on the machine on which they are kept; in ``dagster.yaml``::

        run_launcher:
          module: etl_platform.run_launcher
          class: LocalRunLauncher

    Where runs are kept in PostgreSQL, they may work anywhere, and nothing is said of them.
    """

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        found = lost_run(self._instance, run)
        if found is None:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        gone = f"its process ({found.process}) is gone; etl resume {run.run_id} runs what is left"
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, gone)
