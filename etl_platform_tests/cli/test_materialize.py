"""``etl materialize``: what is told of a run, and its exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from etl_platform.cli.app import app
from etl_platform.core.errors import ConfigError
from etl_platform_tests.cli.projects import models_folder

COMPONENT = """
type: etl_platform.SqlModelsComponent
attributes: {target_schema: marts}
"""
DEFINITIONS = """
from pathlib import Path
import dagster as dg
from etl_platform.resources import LakeResource

@dg.definitions
def defs():
    return dg.Definitions.merge(
        dg.load_from_defs_folder(path_within_project=Path(__file__).parent),
        dg.Definitions(resources={"lake": LakeResource()}),
    )
"""
MODELS = {
    "numbers": "/*\ncontract: {rules: [{rule: range, column: n, min: 0}]}\n*/\n"
    "SELECT range AS n FROM range(3)",
    "refused": "/*\ncontract: {rules: [{rule: range, column: n, min: 1}]}\n*/\n"
    "SELECT n FROM marts.numbers",
    "after": "SELECT n FROM marts.refused",
}


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The definitions of a project of three models, the second of which breaks its contract."""
    folder = models_folder(tmp_path)
    package = folder.parts[-3]
    (tmp_path / package / "definitions.py").write_text(DEFINITIONS)
    (folder / "defs.yaml").write_text(COMPONENT)
    for name, sql in MODELS.items():
        (folder / f"{name}.sql").write_text(sql)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    return f"{package}.definitions"


@pytest.mark.usefixtures("settings")
def test_each_asset_is_told_with_its_rows_or_why_it_has_none(module: str) -> None:
    done = CliRunner().invoke(app, ["materialize", "-m", module, "--json"])
    assert done.exit_code == 1, done.output
    numbers, refused, after = json.loads(done.stdout)
    assert (numbers["table"], numbers["rows"], numbers["version"]) == ("marts.numbers", 3, 0)
    assert (numbers["passed"], numbers["failed"], numbers["error"]) == (1, 0, None)
    assert (refused["table"], refused["rows"], refused["failed"]) == ("marts.refused", None, 1)
    assert "broken by 1 of 3 rows" in refused["error"]
    assert (after["table"], after["error"]) == (
        "marts.after",
        "not run: an asset that it reads failed",
    )

    done = CliRunner().invoke(app, ["materialize", 'key:"marts/numbers"', "-m", module])
    assert done.exit_code == 0, done.output
    assert "marts.numbers" in done.stdout
    assert "marts.refused" not in done.stdout

    done = CliRunner().invoke(app, ["materialize", 'key:"marts/number"', "-m", module])
    assert isinstance(done.exception, ConfigError)
    assert "selects no asset" in str(done.exception)


@pytest.mark.usefixtures("settings")
def test_a_run_that_began_no_step_tells_why(module: str, tmp_path: Path) -> None:
    [definitions] = tmp_path.glob("*/definitions.py")
    text = definitions.read_text().replace("LakeResource()", "Broken()")
    broken = "class Broken(LakeResource):\n"
    broken += "    def setup_for_execution(self, context): raise OSError('the disk is gone')\n\n"
    definitions.write_text(text.replace("@dg.definitions", broken + "@dg.definitions"))
    done = CliRunner().invoke(app, ["materialize", "-m", module, "--json"])
    assert done.exit_code == 1, done.output
    made = json.loads(done.stdout)
    assert len(made) == 3
    assert all("the disk is gone" in one["error"] for one in made)
    shown = CliRunner().invoke(app, ["materialize", "-m", module])
    assert "the disk is gone" in shown.output
