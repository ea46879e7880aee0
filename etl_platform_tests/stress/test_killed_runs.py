"""kill -9 of run workers at random moments of a materialisation of the real flights."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryFile

import dagster as dg
import polars as pl
import pytest

from etl_platform.core.duck import connect
from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse import Lake
from etl_platform.lakehouse.lake import checksum_sql
from etl_platform_tests.stress import flights

FLIGHTS = 336_776


class Worker:
    """A process that runs one asset, ready to start."""

    def __init__(self, *arguments: str) -> None:
        self.errors = TemporaryFile("w+")  # noqa: SIM115 # closed when the work is done
        self.process = subprocess.Popen(
            [sys.executable, "-m", "etl_platform_tests.stress.flights", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def run(self, kill_after_s: float | None = None) -> bool:
        """Start the work; whether it was done before the kill.

        Raises:
            AssertionError: the work failed by itself, with what the process said.
        """
        process = self.process
        assert process.stdin is not None
        assert process.stdout is not None
        timer = threading.Timer(kill_after_s or 0, process.kill)
        process.stdin.write("go\n")
        process.stdin.flush()
        if kill_after_s is not None:
            timer.start()
        done = process.stdout.readline() == "done\n"
        timer.cancel()
        process.communicate()
        if not done and process.returncode != -signal.SIGKILL:
            self.errors.seek(0)
            raise AssertionError(self.errors.read()[-4000:])
        self.errors.close()
        return done


def expected(mode: str, generation: int) -> pl.DataFrame:
    """What the source says the table must hold after this generation."""
    if mode == "append":
        return pl.concat([flights.appended(g) for g in range(generation + 1)]).collect()
    return flights.flights(generation).collect()


def check_reader(lake: Lake, table: TableName, mode: str, generation: int) -> None:
    """A reader after the kill sees whole generations: the new one or not."""
    counts = lake.scan(table).group_by("generation").len().collect()
    seen = dict(counts.rows())
    if mode == "append":
        part = flights.appended(0).collect().height
        assert set(seen.values()) == {part}
        assert sorted(seen) in (list(range(generation)), list(range(generation + 1)))
    else:
        assert seen in ({generation - 1: FLIGHTS}, {generation: FLIGHTS})


def unreferenced(lake: Lake, table: TableName) -> set[str]:
    folder = Path(lake.uri) / table.path
    on_disk = {str(f.relative_to(folder)) for f in folder.rglob("*.parquet")}
    versions = range(lake.version(table) + 1)
    wanted = {f.path for v in versions for f in lake.files(table, v)}
    return {path for path in on_disk if not path.startswith("_")} - wanted


def kill_and_resume(
    lake: Lake, instance: dg.DagsterInstance, mode: str, kills: int, generator: random.Random
) -> dict[str, int]:
    """Kill ``kills`` runs of one asset and resume each; returns what the kills hit.

    A kill falls anywhere between the start of the work and the time that the fastest of the last
    runs took; a run that was done before its kill is not counted.
    """
    table = TableName("kills", mode)
    durations_s: list[float] = []
    hit = {"before the commit": 0, "after the commit": 0}
    generation = 0
    while sum(hit.values()) < kills:
        version = lake.version(table) if generation else -1
        delay_s = generator.uniform(0, min(durations_s[-3:])) if generation else None
        before = newest(instance)
        worker = Worker(mode, str(generation))
        started = time.perf_counter()
        if worker.run(delay_s):
            durations_s.append(time.perf_counter() - started)
        else:
            check_reader(lake, table, mode, generation)
            hit["after the commit" if lake.version(table) > version else "before the commit"] += 1
            resume(instance, before, mode, generation)
        check_equals_source(lake, table, mode, generation)
        generation += 1
    return hit


def newest(instance: dg.DagsterInstance) -> dg.DagsterRun | None:
    return next(iter(instance.get_runs(limit=1)), None)


def resume(
    instance: dg.DagsterInstance, before: dg.DagsterRun | None, mode: str, generation: int
) -> None:
    """Go on as a person or the daemon does when a worker is gone.

    Args:
        before: the newest run before the killed worker started. A kill before the worker had
            registered its run leaves nothing to resume; after its step's success, nothing to do.
    """
    run = newest(instance)
    if run is None or (before is not None and run.run_id == before.run_id):
        assert Worker(mode, str(generation)).run()
    elif not instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_SUCCESS):
        instance.report_run_failed(run)
        assert Worker(mode, str(generation), run.run_id).run()


def check_equals_source(lake: Lake, table: TableName, mode: str, generation: int) -> None:
    wanted = expected(mode, generation)
    path = Path(lake.settings.temp_dir) / "expected.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    wanted.write_parquet(path)
    assert lake.info(table).rows == wanted.height
    relation = f"read_parquet('{path}')"
    with connect(lake.settings) as con:
        assert lake.checksum(table) == checksum_sql(con, relation, wanted.columns)


def _setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Lake:
    home = tmp_path / "dagster"
    home.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    return Lake(settings=settings)


@pytest.mark.parametrize("mode", ["upsert"])
def test_a_killed_run_is_completed_by_its_resumption(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    lake = _setup(tmp_path, monkeypatch, settings)
    with dg.DagsterInstance.get() as instance:
        kill_and_resume(lake, instance, mode, 1, random.Random(f"one {mode}"))


@pytest.mark.stress
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("mode", ["replace", "append", "upsert"])
def test_a_hundred_killed_runs(
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    mode: str,
) -> None:
    lake = _setup(tmp_path, monkeypatch, settings)
    kills = {"replace": 34, "append": 33, "upsert": 33}[mode]
    with dg.DagsterInstance.get() as instance:
        hit = kill_and_resume(lake, instance, mode, kills, random.Random(f"many {mode}"))
    table = TableName("kills", mode)
    left = len(unreferenced(lake, table))
    lake.vacuum(table, orphans_older_than_hours=0)
    assert unreferenced(lake, table) == set()
    with capsys.disabled():
        shown = ", ".join(f"{count} {what}" for what, count in hit.items())
        print(
            f"\n{mode}: {kills} kill -9 ({shown}); after each resumption rows and checksum equal "
            f"the source; {left} files were left behind by kills, none after vacuum"
        )
