"""``etl add``: files in a project, the difference before writing over, what is to be set."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from etl_platform_tests.cli.conftest import Etl
from etl_platform_tests.cli.projects import models_folder


@pytest.fixture
def defs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = models_folder(tmp_path).parent
    monkeypatch.chdir(folder.parent)
    return folder


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.db"
    run(path, "CREATE TABLE orders (id int PRIMARY KEY, note text NOT NULL)")
    return path


def run(path: Path, *statements: str) -> None:
    with sqlite3.connect(path) as con:
        for statement in statements:
            con.execute(statement)
    con.close()


def test_files_are_written_into_the_project_around(etl: Etl, defs: Path, shop: Path) -> None:
    done = etl("add", f"sqlite:///{shop}", "--dry-run")
    assert (done.returncode, "would be written" in done.stdout) == (0, True)
    assert not (defs / "shop").exists()
    done = etl("add", f"sqlite:///{shop}")
    assert done.returncode == 0, done.stderr
    assert (defs / "shop_staging" / "orders.sql").exists()
    assert etl("add", f"sqlite:///{shop}").stdout == "nothing changed\n"


def test_what_is_there_is_shown_and_confirmed_before_it_changes(
    etl: Etl, defs: Path, shop: Path
) -> None:
    assert etl("add", f"sqlite:///{shop}").returncode == 0
    before = (defs / "shop" / "defs.yaml").read_text()
    run(shop, 'CREATE TABLE "\x1b[31mred" (id int)')
    refused = etl("add", f"sqlite:///{shop}")
    assert refused.returncode == 1
    assert "give --yes" in refused.stderr
    assert "+    " in refused.stdout
    assert "\x1b[31mred" not in refused.stdout
    assert (defs / "shop" / "defs.yaml").read_text() == before
    assert etl("add", f"sqlite:///{shop}", "--yes").returncode == 0
    assert (defs / "shop" / "defs.yaml").read_text() != before


def test_json_tells_changes_conflicts_and_their_status(etl: Etl, defs: Path, shop: Path) -> None:
    told = json.loads(etl("add", f"sqlite:///{shop}", "--json").stdout)
    assert [one["change"] for one in told["files"]] == ["added"] * 3
    model = defs / "shop_staging" / "orders.sql"
    model.write_text(model.read_text().replace("    note,", "    upper(note) AS note,"))
    run(shop, "ALTER TABLE orders DROP COLUMN note")
    done = etl("add", f"sqlite:///{shop}", "--json", "--yes")
    assert done.returncode == 1
    (conflict,) = json.loads(done.stdout)["conflicts"]
    assert conflict["path"] == "shop_staging/orders.sql"
    assert "upper(note)" in model.read_text()


def test_a_password_is_never_shown_when_the_server_is_not_there(etl: Etl, defs: Path) -> None:
    done = etl("add", "postgresql://u:hunter2@127.0.0.1:1/shop")
    assert done.returncode == 1
    assert "hunter2" not in done.stdout + done.stderr
    assert not (defs / "shop").exists()


def test_outside_of_a_project_the_folder_is_asked_for(
    etl: Etl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shop: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    done = etl("add", f"sqlite:///{shop}")
    assert done.returncode == 1
    assert "--defs" in done.stderr
