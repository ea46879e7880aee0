"""``etl format`` over the files of a project."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from etl_platform.cli.app import app
from etl_platform_tests.cli.projects import MODELS_OF_ORDERS, models_folder

UGLY = "/* Orders. */\nselect country from shop.orders"
NEAT = "/* Orders. */\nSELECT\n  country\nFROM shop.orders\n"


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = models_folder(tmp_path, MODELS_OF_ORDERS)
    (folder / "neat.sql").write_text(NEAT)
    (folder / "ugly.sql").write_text(UGLY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return folder


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["format", *words])
    return result.exit_code, result.output


def test_a_projects_models_are_checked_then_formatted_once(models: Path) -> None:
    code, shown = run("--check")
    assert (code, (models / "ugly.sql").read_text()) == (1, UGLY)
    assert "-select country from shop.orders\n" in shown
    assert "+  country\n" in shown
    assert "1 files were formatted already" in shown
    code, shown = run()
    assert (code, (models / "ugly.sql").read_text()) == (0, NEAT)
    assert shown.splitlines()[0] == f"formatted {models / 'ugly.sql'}"
    assert run("--check") == (0, "2 files were formatted already\n")
    assert sorted(path.name for path in models.iterdir() if "ugly" in path.name) == ["ugly.sql"]


def test_paths_may_be_named_and_what_cannot_be_formatted_stays(models: Path) -> None:
    lost = "SELECT count(*) FILTER (WHERE amount > 1) /* in it */ AS n FROM shop.orders"
    (models / "lost.sql").write_text(lost)
    code, shown = run(str(models / "lost.sql"))
    assert (code, (models / "lost.sql").read_text()) == (1, lost)
    assert "the comment 'in it' would be lost" in shown
    code, shown = run(str(models), "--check", "--json")
    found = {Path(one["path"]).name: one for one in json.loads(shown)}
    assert code == 1
    assert found["neat.sql"] == {"path": str(models / "neat.sql"), "diff": "", "error": None}
    assert found["ugly.sql"]["diff"].startswith("---")
    assert "cannot be formatted" in found["lost.sql"]["error"]
    assert (models / "ugly.sql").read_text() == UGLY
    code, shown = run("nowhere")
    assert code == 1
