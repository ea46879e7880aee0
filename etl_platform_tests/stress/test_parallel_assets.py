"""Eight assets materialising in parallel processes while four processes query them in a loop."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest

from etl_platform.core.settings import Settings


def start(name: str, seconds: float) -> subprocess.Popen[str]:
    """A process of ``etl_platform_tests.stress.parallel`` that waits for its signal."""
    return subprocess.Popen(
        [sys.executable, "-m", "etl_platform_tests.stress.parallel", name, str(seconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_all(assets: int, queriers: int, seconds: float) -> tuple[list[int], int]:
    """Writers and readers for ``seconds``; returns runs per asset and the number of queries.

    Every reader checks in each query that it sees one whole version of every table.
    """
    names = [*(f"asset_{i}" for i in range(assets)), *["query"] * queriers]
    processes = [start(name, seconds) for name in names]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    figures: list[int] = []
    for process in processes:
        out, err = process.communicate(timeout=seconds + 240)
        assert process.returncode == 0, err[-3000:]
        figures.append(json.loads(out.splitlines()[-1]))
    return figures[:assets], sum(figures[assets:])


def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "dagster"
    home.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    # The instance's tables are made once, as a deployment's are.
    with dg.DagsterInstance.get():
        pass


def test_queries_see_whole_versions_while_assets_are_replaced(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _home(tmp_path, monkeypatch)
    runs, queries = run_all(assets=2, queriers=1, seconds=2)
    assert all(count >= 1 for count in runs)
    assert queries >= 1


@pytest.mark.stress
@pytest.mark.timeout(900)
def test_sixty_seconds_of_eight_writers_and_four_readers(
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _home(tmp_path, monkeypatch)
    started = time.perf_counter()
    runs, queries = run_all(assets=8, queriers=4, seconds=60)
    with capsys.disabled():
        seconds = time.perf_counter() - started
        print(
            f"\n8 assets in parallel processes: {sum(runs)} materialisations; 4 processes asked "
            f"{queries} queries in {seconds:.0f} s; no error, each saw one whole version of "
            "every table"
        )
