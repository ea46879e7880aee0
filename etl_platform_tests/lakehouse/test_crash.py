"""kill -9 at any moment of a publish: readers see whole versions, a re-run completes."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time

import pytest

from etl_platform.core.settings import Settings
from etl_platform.lakehouse import Lake, Mode
from etl_platform_tests.lakehouse.conftest import stored_files
from etl_platform_tests.lakehouse.writer import TABLE, batch, publish

ROWS = 20_000


def killed_after(lake: Lake, mode: Mode, seed: int, delay_s: float) -> bool:
    """Start a writer, kill it after ``delay_s`` of work; whether it had finished by then."""
    arguments = [lake.uri, mode.value, str(ROWS), str(seed)]
    with subprocess.Popen(
        [sys.executable, "-m", "etl_platform_tests.lakehouse.writer", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        timer = threading.Timer(delay_s, process.kill)
        process.stdin.write("go\n")
        process.stdin.flush()
        timer.start()
        finished = process.stdout.readline() == "done\n"
        timer.cancel()
    return finished


def whole_versions(lake: Lake, mode: Mode, seed: int) -> set[int]:
    """The row counts that a reader may see around the publish of batch ``seed``."""
    if mode is Mode.APPEND:
        return {seed * ROWS, (seed + 1) * ROWS}
    return {ROWS} if seed else {0, ROWS}


def check_reader(lake: Lake, mode: Mode, seed: int) -> None:
    if not lake.exists(TABLE):
        assert seed == 0
        return
    frame = lake.scan(TABLE).collect()
    assert frame.height in whole_versions(lake, mode, seed)
    assert frame["id"].n_unique() == frame.height
    if mode is not Mode.APPEND:
        assert frame["seed"].n_unique() == 1


def crash_and_recover(lake: Lake, mode: Mode, kills: int, generator: random.Random) -> int:
    """Kill and re-run ``kills`` times; returns how many had not finished."""
    started = time.perf_counter()
    publish(lake, mode, ROWS, 0)
    usual_s = time.perf_counter() - started
    interrupted = 0
    for seed in range(1, kills + 1):
        interrupted += not killed_after(lake, mode, seed, generator.uniform(0, 1.5 * usual_s))
        check_reader(lake, mode, seed)
        publish(lake, mode, ROWS, seed)
        newest = batch(mode, ROWS, seed)
        frame = lake.scan(TABLE).filter(seed=seed).sort("id").collect()
        assert frame.to_dict(as_series=False) == newest.to_pydict()
        expected = (seed + 1) * ROWS if mode is Mode.APPEND else ROWS
        assert lake.scan(TABLE).collect().height == expected
        assert lake.annotation(TABLE, "seed") == str(seed)
    return interrupted


def unreferenced(lake: Lake) -> set[str]:
    versions = range(lake.version(TABLE) + 1)
    wanted = {f.path for v in versions for f in lake.files(TABLE, v)}
    return stored_files(lake, TABLE) - wanted


@pytest.mark.parametrize("mode", [Mode.REPLACE, Mode.APPEND, Mode.UPSERT])
def test_a_killed_publish_is_completed_by_the_next_one(settings: Settings, mode: Mode) -> None:
    lake = Lake(settings=settings)
    crash_and_recover(lake, mode, kills=4, generator=random.Random(f"few {mode}"))
    lake.vacuum(TABLE, orphans_older_than_hours=0)
    assert unreferenced(lake) == set()


@pytest.mark.stress
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("mode", [Mode.REPLACE, Mode.APPEND, Mode.UPSERT])
def test_a_hundred_killed_publishes(
    settings: Settings, mode: Mode, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = Lake(settings=settings)
    interrupted = crash_and_recover(lake, mode, kills=100, generator=random.Random(f"many {mode}"))
    left = len(unreferenced(lake))
    lake.vacuum(TABLE, orphans_older_than_hours=0)
    assert unreferenced(lake) == set()
    with capsys.disabled():
        print(f"\n{mode}: 100 kills, {interrupted} before the commit was reported; ", end="")
        print(f"{left} files left by crashes, none after vacuum")
