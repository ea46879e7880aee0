"""``etl inspect`` of a folder, as text, JSON and a page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from etl_platform.cli.app import app
from etl_platform.core.errors import ConfigError
from etl_platform.core.settings import Settings


@pytest.fixture
def folder(tmp_path: Path, settings: Settings) -> Path:
    made = tmp_path / "incoming"
    made.mkdir()
    for number in range(3):
        (made / f"planes_{number}.csv").write_text("tail,year\nN1,1999\nN2,\nN3,2004\n")
    return made


def run(*words: str) -> str:
    result = CliRunner().invoke(app, ["inspect", *words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


def test_text_json_and_page_tell_the_same(folder: Path, tmp_path: Path) -> None:
    text = run(str(folder))
    assert "planes_*.csv" in text
    assert "planes: 3 of 3 objects looked at, 9 rows" in text
    (table,) = json.loads(run(f"file://{folder}", "--json"))["tables"]
    assert (table["name"], table["estimate"]["rows"]) == ("planes", 9)
    assert [one["name"] for one in table["profile"]["columns"]] == ["tail", "year"]
    assert table["component"]["path"] == "planes_*.csv"
    page = tmp_path / "page.html"
    assert str(page) in run(str(folder / "*.csv"), "--html", str(page))
    assert "planes_*.csv" in page.read_text()


def test_options_of_databases_and_of_files_are_not_mixed(folder: Path) -> None:
    with pytest.raises(ConfigError, match="neither schemas nor views"):
        run(str(folder), "--views")
    with pytest.raises(ConfigError, match="for files"):
        run("env://SHOP_URL", "--yaml")
    with pytest.raises(ConfigError, match="for files"):
        run("env://SHOP_URL", "--html", "x.html")
