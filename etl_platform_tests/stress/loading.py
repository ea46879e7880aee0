"""Loads that are struck: the connection cut, the server killed and started, the process killed.

A process that loads: ``python -m etl_platform_tests.stress.loading URL TABLE MODE`` prints
``ready`` when everything is imported, then loads.
"""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import psutil
import pyarrow as pa

from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse import Lake, Mode
from etl_platform.sinks.database import (
    DatabaseSink,
    Load,
    LoadMode,
    Target,
    TargetUnavailable,
    rows_of,
)
from etl_platform.sources.database import Database

COUNT = 8_000
HALF = COUNT // 2
RESTART_TIMEOUT_S = 60
FIRST, SECOND, ADDED = (TableName("faults", name) for name in ("first", "second", "added"))
# inserted, updated, deleted of the second load
COUNTS = {
    LoadMode.APPEND: (HALF, 0, 0),
    LoadMode.REPLACE: (COUNT, 0, COUNT),
    LoadMode.UPSERT: (HALF, HALF, 0),
    LoadMode.DELETE_INSERT: (COUNT, 0, HALF),
    LoadMode.SCD2: (COUNT, HALF, 0),
}
Row = tuple[int, str]


class FaultyServer(Protocol):
    """A server of the test's own, that it may harm."""

    pid: int

    @property
    def url(self) -> str: ...

    def query(self, sql: str) -> list[tuple[Any, ...]]: ...

    def cut(self) -> None:
        """End the sessions that load."""
        ...


@dataclass
class Figures:
    """What happened in all trials of one fault, database and mode."""

    trials: int = 0
    failed: int = 0
    retries: int = 0
    lost: int = 0
    doubled: int = 0
    untrue: int = 0


@dataclass
class Trials:
    """Trials of one database, each with a table of its own."""

    server: FaultyServer
    settings: Settings
    strike: Callable[[Trials], None]
    moments: random.Random
    in_process: bool = False
    figures: Figures = field(default_factory=Figures)
    typical_s: dict[LoadMode, float] = field(default_factory=dict[LoadMode, float])

    def run(self, mode: LoadMode, number: int) -> None:
        """Load twice, the second time struck at a random moment, and retry until it is done."""
        target = Target(f"t_{mode}_{number}_{self.moments.randrange(10**9)}")
        sink = self._sink()
        lake = Lake(self.settings.lake_uri, self.settings)
        began = time.perf_counter()
        sink.load(rows_of(lake, FIRST), Load(target, mode, "first", ("id",)))
        self.typical_s.setdefault(mode, time.perf_counter() - began)
        moment = self.moments.uniform(0, self.typical_s[mode] * 1.2)
        attempt = self._strike_process if self.in_process else self._strike_session
        self.figures.failed += not attempt(target, mode, moment)
        self._check(target, mode, lake)

    def _strike_session(self, target: Target, mode: LoadMode, moment: float) -> bool:
        outcome: list[Exception | None] = []
        over = threading.Event()

        def load() -> None:
            try:
                self._second(target, mode)
                outcome.append(None)
            except TargetUnavailable as error:
                outcome.append(error)
            finally:
                over.set()

        loading = threading.Thread(target=load)
        loading.start()
        over.wait(moment)
        self.strike(self)
        loading.join()
        assert outcome, "the load failed, and not because the target was unavailable"
        return outcome[0] is None

    def _strike_process(self, target: Target, mode: LoadMode, moment: float) -> bool:
        command = [sys.executable, "-m", __name__, self.server.url, target.name, mode]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        try:
            child.wait(timeout=moment)
        except subprocess.TimeoutExpired:
            child.kill()
        child.stdout.close()
        return child.wait() == 0

    def _second(self, target: Target, mode: LoadMode) -> None:
        second_load(self._sink(), Lake(self.settings.lake_uri, self.settings), target, mode)

    def _check(self, target: Target, mode: LoadMode, lake: Lake) -> None:
        patience = time.monotonic() + RESTART_TIMEOUT_S
        while True:
            try:
                self._second(target, mode)
                break
            except TargetUnavailable:
                self.figures.retries += 1
                assert time.monotonic() < patience, "the target does not come back"
        found = Counter(self.server.query(f"SELECT id, note FROM {target.name}"))
        expected = Counter(expected_rows(mode))
        newest = self._sink().newest(target)
        assert newest is not None
        told = (newest.rows_inserted, newest.rows_updated, newest.rows_deleted)
        self.figures.trials += 1
        self.figures.lost += (expected - found).total()
        self.figures.doubled += (found - expected).total()
        self.figures.untrue += (newest.batch, told) != ("second", COUNTS[mode])

    def _sink(self) -> DatabaseSink:
        return DatabaseSink(Database("target", self.server.url))


def second_load(sink: DatabaseSink, lake: Lake, target: Target, mode: LoadMode) -> None:
    rows = rows_of(lake, ADDED if mode is LoadMode.APPEND else SECOND)
    sink.load(rows, Load(target, mode, "second", ("id",)))


def expected_rows(mode: LoadMode) -> list[Row]:
    """The target after both loads; in ``scd2`` with the versions that were closed."""
    old, new = _rows("first", 0), _rows("second", HALF)
    match mode:
        case LoadMode.REPLACE:
            return new
        case LoadMode.SCD2:
            return old + new
        case LoadMode.APPEND:
            return old + [row for row in new if row[0] >= COUNT]
        case _:
            return old[:HALF] + new


def publish(settings: Settings) -> None:
    """The lake's tables that the trials load."""
    lake = Lake(settings.lake_uri, settings)
    new = _rows("second", HALF)
    added = [row for row in new if row[0] >= COUNT]
    for name, rows in ((FIRST, _rows("first", 0)), (SECOND, new), (ADDED, added)):
        data = pa.table({"id": [row[0] for row in rows], "note": [row[1] for row in rows]})
        lake.publish(lake.stage(name, data), Mode.REPLACE)


def kill_and_start(server: FaultyServer) -> None:
    """Kill a server as a crash would, and start the same program on the same data and port."""
    leader = psutil.Process(server.pid)
    command, folder, user = leader.cmdline(), leader.cwd(), leader.uids().real
    group = leader.gids().real
    family = [leader, *leader.children(recursive=True)]
    for process in family:
        process.kill()
    psutil.wait_procs(family)
    started = subprocess.Popen(
        command,
        cwd=folder,
        user=user,
        group=group,
        extra_groups=[] if user else None,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    server.pid = started.pid


def _rows(note: str, start: int) -> list[Row]:
    return [(number, f"{note} {number}") for number in range(start, start + COUNT)]


def _main(url: str, table: str, mode: str) -> None:
    sink, lake = DatabaseSink(Database("target", url)), Lake()
    print("ready", flush=True)
    second_load(sink, lake, Target(table), LoadMode(mode))


if __name__ == "__main__":
    _main(*sys.argv[1:])
