"""``etl test`` and pytest over the same files of a project."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from etl_platform.cli.app import app
from etl_platform_tests.cli.projects import MODELS_OF_ORDERS, models_folder

PASSES = "- {name: none, expect: []}\n"
FAILS = "- {name: one, given: {shop.orders: [{country: NO}]}, expect: [{orders: 2}]}\n"


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The models' folder of a project, the working directory being the project's."""
    folder = models_folder(tmp_path, MODELS_OF_ORDERS)
    (folder / "totals.sql").write_text(
        "SELECT country, count(*) AS orders FROM shop.orders GROUP BY country"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return folder


def run(*words: str) -> tuple[int, str]:
    found = CliRunner().invoke(app, ["test", *words])
    return found.exit_code, found.output


def test_the_exit_status_tells_passed_from_failed_from_unusable(models: Path) -> None:
    tests = models / "totals.test.yaml"
    status, printed = run()
    assert (status, "no tests" in printed) == (2, True)
    tests.write_text(PASSES)
    status, printed = run()
    assert (status, "1 passed" in printed) == (0, True)
    tests.write_text(PASSES + FAILS)
    status, printed = run("marts.totals")
    assert status == 1
    assert "FAILED  marts.totals: one" in printed
    assert f"\n  {models.relative_to(Path.cwd())}/totals.test.yaml:2\n" in printed
    assert "1 passed, 1 failed" in printed
    status, printed = run("--json", str(tests))
    assert status == 1
    assert [one["status"] for one in json.loads(printed)] == ["passed", "failed"]
    assert run("marts.total")[0] == 2
    tests.write_text("- {name: one, expects: []}\n")
    status, printed = run()
    assert (status, "did you mean 'expect'?" in printed) == (2, True)
    tests.rename(models / "total.test.yaml")
    status, printed = run()
    assert (status, "unknown model 'total'" in printed) == (2, True)


def test_pytest_collects_the_same_files_and_shows_the_rows(models: Path) -> None:
    (models / "totals.test.yaml").write_text(PASSES + FAILS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "etl_platform.cli.pytest_plugin", "-q"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed, 1 passed" in done.stdout
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["-", "2"] in lines
    assert ["+", "1"] in lines
