"""Materialise assets in a real Dagster run, as the command line does, and follow it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import dagster as dg

from etl_platform.demo.streaming import DEMO_TAG

_POLL_S = 0.5
_ASIDE_ROWS = "quarantined_rows"
_ASIDE = (_ASIDE_ROWS, "quarantine_table")
_EVENTS = {
    dg.DagsterEventType.ASSET_MATERIALIZATION,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.STEP_FAILURE,
}


@dataclass
class Check:
    """One check's result in a run. ``severity`` is ERROR or WARN."""

    name: str
    passed: bool
    severity: str
    failed_rows: int


@dataclass
class Loaded:
    """What a run did with one asset: the metadata of its new version, or why there is none."""

    asset: str
    metadata: dict[str, object] = field(default_factory=dict[str, object])
    checks: list[Check] = field(default_factory=list[Check])
    error: str = ""

    @property
    def published(self) -> bool:
        return bool(self.metadata)

    def take(self, metadata: dict[str, object]) -> None:
        """The metadata of a new version; what earlier batches of the same runs set aside stays."""
        aside = self.number(_ASIDE_ROWS)
        kept = {name: self.metadata[name] for name in _ASIDE if name in self.metadata}
        self.metadata = {**kept, **metadata}
        if aside and _ASIDE_ROWS in metadata:
            self.metadata[_ASIDE_ROWS] = aside + self.number(_ASIDE_ROWS)

    def judge(self, check: Check) -> None:
        """A check's result; those of several batches are one."""
        for one in self.checks:
            if one.name == check.name:
                one.passed = one.passed and check.passed
                one.failed_rows += check.failed_rows
                return
        self.checks.append(check)

    def number(self, name: str) -> float:
        value = self.metadata.get(name, 0)
        return value if isinstance(value, int | float) else 0

    @property
    def seconds(self) -> float:
        return sum(self.number(name) for name in self.metadata if name.startswith("seconds/"))


def materialize(
    instance: dg.DagsterInstance, selection: str, log: Path, tell: Callable[[str], None]
) -> dict[str, Loaded]:
    """Run ``dagster asset materialize --select SELECTION`` and wait for it.

    Args:
        log: where the command's output goes.
        tell: called with each asset's name when it is published or has failed.

    Returns:
        What happened, by asset name (``schema.name``), in the order in which it did.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [str(Path(sys.executable).with_name("dagster")), "asset", "materialize"]
    command += ["--select", selection, "-m", "etl_platform.definitions"]
    # One process for all steps: a process for each takes longer to start than most steps to run.
    command += ["--config-json", json.dumps({"execution": {"config": {"in_process": {}}}})]
    before = {run.run_id for run in instance.get_runs(limit=1)}
    found: dict[str, Loaded] = {}
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        run_id, cursor = None, None
        while True:
            ended = process.poll() is not None
            if run_id is None:
                newest = next(iter(instance.get_runs(limit=1)), None)
                run_id = newest.run_id if newest and newest.run_id not in before else None
            if run_id is not None:
                connection = instance.get_records_for_run(run_id, cursor, _EVENTS)
                cursor = connection.cursor
                for record in connection.records:
                    _note(found, record.event_log_entry, tell)
            if ended:
                break
            time.sleep(_POLL_S)
    if run_id is None:
        raise SystemExit(f"Dagster did not start a run; what it said is in {log}")
    return found


def replay(
    instance: dg.DagsterInstance, servers: str, log: Path, tell: Callable[[str], None]
) -> dict[str, Loaded]:
    """Load a broker's departures as Dagster's daemon does, batch by batch, with their windows.

    Args:
        servers: ``host:port`` of the broker.
        log, tell: as for :func:`materialize`.

    Returns:
        What happened, by asset name; of each asset what its last run tells.
    """
    tag = uuid4().hex
    command = [sys.executable, "-m", "etl_platform.demo.streaming", tag]
    environment = {**os.environ, "LIVE_KAFKA": servers}
    with log.open("w") as output:
        done = subprocess.run(
            command, stdout=output, stderr=subprocess.STDOUT, env=environment, check=False
        )
    found: dict[str, Loaded] = {}
    for run in reversed(instance.get_runs(dg.RunsFilter(tags={DEMO_TAG: tag}))):
        for record in instance.get_records_for_run(run.run_id, None, _EVENTS).records:
            _note(found, record.event_log_entry, tell)
    if done.returncode != 0 and all(loaded.published for loaded in found.values()):
        raise SystemExit(f"the stream was not loaded; what was said is in {log}")
    return found


def _note(found: dict[str, Loaded], entry: dg.EventLogEntry, tell: Callable[[str], None]) -> None:
    event = entry.dagster_event
    if event is None:
        return
    if event.event_type is dg.DagsterEventType.STEP_FAILURE:
        name = str(event.step_key).replace("__", ".", 1)
        data = event.step_failure_data
        cause = data.error_display_string if data.error is None else _reason(data.error)
        found.setdefault(name, Loaded(name)).error = cause
        tell(name)
    elif event.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION:
        name = ".".join(event.asset_key.path) if event.asset_key else ""
        loaded = found.setdefault(name, Loaded(name))
        metadata = event.step_materialization_data.materialization.metadata
        loaded.take({key: value.value for key, value in metadata.items()})
        tell(name)
    else:
        result = event.asset_check_evaluation_data
        name = ".".join(result.asset_key.path)
        told = result.metadata
        rows = told.get("failed_rows", told.get("bad_files"))
        count = rows.value if isinstance(rows, dg.IntMetadataValue) else None
        check = Check(result.check_name, result.passed, result.severity.value, count or 0)
        found.setdefault(name, Loaded(name)).judge(check)


def _reason(error: object) -> str:
    """The innermost message of a step's error, without class names and stack."""
    while getattr(error, "cause", None) is not None:
        error = error.cause  # type: ignore[attr-defined] - Dagster's SerializableErrorInfo
    return str(getattr(error, "message", error)).split(": ", 1)[-1].strip()
