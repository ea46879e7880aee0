"""Loads that are struck: sessions ended, the server killed and started, the process killed.

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
from typing import TypeVar

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
from etl_platform_tests.stress.commit_cut import CommitCut
from etl_platform_tests.stress.victims import Victim

COUNT = 4_000
HALF = COUNT // 2
RESTART_TIMEOUT_S = 60
_MOST_COMMITS = 5
"""A load commits what it prepares, then itself, then what it clears away."""
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
T = TypeVar("T")


@dataclass
class Figures:
    """What happened in all trials of one fault, database and mode."""

    trials: int = 0
    interrupted: int = 0
    committed: int = 0
    retries: int = 0
    lost: int = 0
    doubled: int = 0
    untrue: int = 0


@dataclass
class Trials:
    """Trials of one database, each with a table of its own."""

    server: Victim
    settings: Settings
    strike: Callable[[Victim], None]
    moments: random.Random
    fault: str
    figures: Figures = field(default_factory=Figures)
    typical_s: dict[LoadMode, float] = field(default_factory=dict[LoadMode, float])

    def run(self, mode: LoadMode, number: int) -> None:
        """Load twice, the second time struck at a random moment, and retry until it is done."""
        if mode not in self.typical_s:
            self.typical_s[mode] = self._undisturbed(mode)
        target, moment = self._loaded_once(mode), self._moment(mode, number)
        attempts = {"process killed": self._strike_process, "cut at commit": self._cut_at_commit}
        if not attempts.get(self.fault, self._strike_session)(target, mode, moment):
            self.figures.interrupted += 1
            newest = self._patiently(lambda: self._sink().newest(target))
            self.figures.committed += newest is not None and newest.batch == "second"
        self._check(target, mode)

    def _moment(self, mode: LoadMode, number: int) -> float:
        """Seconds from the start: every other one near the end, where it commits."""
        earliest, latest = ((0.0, 1.05), (0.75, 1.2))[number % 2]
        return self.moments.uniform(earliest, latest) * self.typical_s[mode]

    def _undisturbed(self, mode: LoadMode) -> float:
        """Seconds of the second load, when nothing happens to it."""
        target = self._loaded_once(mode)
        if self.fault == "process killed":
            child = self._process(target, mode)
            began = time.perf_counter()
            assert child.wait() == 0
        else:
            began = time.perf_counter()
            self._second(target, mode)
        return time.perf_counter() - began

    def _loaded_once(self, mode: LoadMode) -> Target:
        target = Target(f"t_{mode}_{self.moments.randrange(10**9)}")
        lake = Lake(self.settings.lake_uri, self.settings)
        self._sink().load(rows_of(lake, FIRST), Load(target, mode, "first", ("id",)))
        return target

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
        self.strike(self.server)
        loading.join()
        assert outcome, "the load failed, and not because the target was unavailable"
        return outcome[0] is None

    def _strike_process(self, target: Target, mode: LoadMode, moment: float) -> bool:
        child = self._process(target, mode)
        try:
            child.wait(timeout=moment)
        except subprocess.TimeoutExpired:
            child.kill()
        return child.wait() == 0

    def _process(self, target: Target, mode: LoadMode) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", __name__, self.server.url, target.name, mode]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.stdout.close()
        return child

    def _cut_at_commit(self, target: Target, mode: LoadMode, moment: float) -> bool:
        del moment
        number, answered = self.moments.randint(1, _MOST_COMMITS), self.moments.random() < 0.5
        with CommitCut(self.server.port, number, answered).open() as between:
            url = self.server.url.replace(f":{self.server.port}/", f":{between.port}/")
            sink = DatabaseSink(Database("target", url))
            try:
                self._second(target, mode, sink)
            except TargetUnavailable:
                return False
        return True

    def _second(self, target: Target, mode: LoadMode, sink: DatabaseSink | None = None) -> None:
        lake = Lake(self.settings.lake_uri, self.settings)
        second_load(sink or self._sink(), lake, target, mode)

    def _patiently(self, ask: Callable[[], T]) -> T:
        answer, failures = patiently(ask)
        self.figures.retries += failures
        return answer

    def _check(self, target: Target, mode: LoadMode) -> None:
        self._patiently(lambda: self._second(target, mode))
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


def patiently(ask: Callable[[], T]) -> tuple[T, int]:
    """The answer, once the target is there again, and how often it was not."""
    patience, failures = time.monotonic() + RESTART_TIMEOUT_S, 0
    while True:
        try:
            return ask(), failures
        except TargetUnavailable:
            failures += 1
            assert time.monotonic() < patience, "the target does not come back"


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


def _rows(note: str, start: int) -> list[Row]:
    return [(number, f"{note} {number}") for number in range(start, start + COUNT)]


def _main(url: str, table: str, mode: str) -> None:
    sink, lake = DatabaseSink(Database("target", url)), Lake()
    print("ready", flush=True)
    second_load(sink, lake, Target(table), LoadMode(mode))


if __name__ == "__main__":
    _main(*sys.argv[1:])
