"""The commands of `dg` and `dagster` on a project that a user would write."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TypeAlias

import pytest

from etl_platform.core.settings import Settings
from etl_platform_tests.components.conftest import Shop
from etl_platform_tests.forked_commands import Commands, forking

Command: TypeAlias = Callable[..., "subprocess.CompletedProcess[str]"]

PYPROJECT = """
[project]
name = "acme"
version = "0"

[tool.dg]
directory_type = "project"

[tool.dg.project]
root_module = "acme"
"""
DEFINITIONS = """
from pathlib import Path

import dagster as dg

from etl_platform.io_manager import LakeIOManager
from etl_platform.resources import LakeResource


@dg.definitions
def defs():
    lake = LakeResource()
    return dg.Definitions.merge(
        dg.load_from_defs_folder(path_within_project=Path(__file__).parent),
        dg.Definitions(resources={"lake": lake, "lake_io_manager": LakeIOManager(lake=lake)}),
    )
"""
SOURCE = """\
type: etl_platform.DatabaseSourceComponent
attributes:
  url: env://SHOP_URL
  target_schema: shop
  defaults:
    owners: ["team:sales"]
    freshness: {fail_after: 24h}
  tables:
    orders:
      incremental: {cursor: placed_at, lookback: 1h}
      contract:
        rules:
          - {rule: range, column: amount, min: 0, action: quarantine}
  queries:
    big_orders:
      sql: SELECT id, amount FROM orders WHERE amount > :least
      parameters: {least: 15}
  schedule: {cron: "0 6 * * *", timezone: Europe/Berlin}
"""
MODELS = """\
type: etl_platform.SqlModelsComponent
attributes:
  target_schema: marts
  defaults: {automation: eager}
"""


@pytest.fixture
def acme(tmp_path: Path, settings: Settings, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "project"
    files = {
        "pyproject.toml": PYPROJECT,
        "src/acme/__init__.py": "",
        "src/acme/definitions.py": DEFINITIONS,
        "src/acme/defs/__init__.py": "",
        "src/acme/defs/shop/defs.yaml": SOURCE,
        "src/acme/defs/marts/defs.yaml": MODELS,
        "src/acme/defs/marts/totals.sql": "SELECT sum(amount) AS total FROM shop.orders",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    monkeypatch.setenv("PYTHONPATH", str(root / "src"))
    return root


@pytest.fixture(scope="module")
def commands() -> Iterator[Commands]:
    with forking(os.environ) as made:
        yield made


@pytest.fixture
def command(acme: Path, commands: Commands) -> Command:
    return lambda *words: commands.run(*words, cwd=acme, env=os.environ)


def test_a_project_is_checked_refreshed_listed_and_materialised_by_command(
    command: Command,
) -> None:
    listed = command("dg", "list", "components", "--json")
    assert listed.returncode == 0, listed.stderr
    names = {entry["key"] for entry in json.loads(listed.stdout)["items"]}
    components = ("DatabaseSource", "SqlModels", "Transform")
    assert {f"etl_platform.{name}Component" for name in components} <= names

    checked = command("dg", "check", "yaml")
    assert checked.returncode == 0, checked.stdout + checked.stderr

    refreshed = command("dg", "utils", "refresh-defs-state")
    assert refreshed.returncode == 0, refreshed.stdout + refreshed.stderr

    listed = command("dg", "list", "defs", "--json")
    assert listed.returncode == 0, listed.stderr
    assets = {entry["asset_key"] for entry in json.loads(listed.stdout)["assets"]}
    assert assets == {"shop/customers", "shop/orders", "shop/big_orders", "marts/totals"}

    made = command(
        *("dagster", "asset", "materialize", "--select", "*", "-m", "acme.definitions"),
        *("--config-json", json.dumps({"execution": {"config": {"in_process": {}}}})),
    )
    assert made.returncode == 0, made.stderr[-3000:]
    assert "RUN_SUCCESS" in made.stderr


def test_yaml_that_is_wrong_is_refused_with_file_line_and_field(
    acme: Path, command: Command
) -> None:
    path = acme / "src/acme/defs/shop/defs.yaml"
    path.write_text(SOURCE.replace("lookback: 1h", "lokback: 1h"))
    checked = command("dg", "check", "yaml")
    assert checked.returncode == 1
    # `dg` validates against the schema, in which every value may also be a template.
    assert "shop/defs.yaml:8" in checked.stdout
    assert "lokback: 1h" in checked.stdout
    loaded = command("dagster", "definitions", "validate", "-m", "acme.definitions")
    assert loaded.returncode == 1
    assert "incremental.lokback at" in loaded.stderr + loaded.stdout


def till(folder: Path) -> str:
    """The address of a small database below a folder."""
    with closing(sqlite3.connect(folder / "till.db")) as database:
        database.execute("CREATE TABLE receipts (id INTEGER PRIMARY KEY, paid NUMERIC NOT NULL)")
    return f"sqlite:///{folder}/till.db"


def test_scaffolding_writes_a_component_that_passes_the_check(acme: Path, command: Command) -> None:
    scaffolded = command(
        *("dg", "scaffold", "defs", "etl_platform.DatabaseSourceComponent", "crm"),
        *("--url", "env://CRM_URL", "--target-schema", "crm"),
    )
    assert scaffolded.returncode == 0, scaffolded.stdout + scaffolded.stderr
    sink = command(
        *("dg", "scaffold", "defs", "etl_platform.DatabaseSinkComponent", "warehouse"),
        *("--source", "crm.people"),
    )
    assert sink.returncode == 0, sink.stdout + sink.stderr
    steps = command(
        *("dg", "scaffold", "defs", "etl_platform.TransformComponent", "clean"),
        *("--source", "shop.orders", "--table", "few_orders"),
    )
    assert steps.returncode == 0, steps.stdout + steps.stderr
    found = command("dg", "scaffold", "defs", "etl_platform.pipeline", "till", "--uri", till(acme))
    assert found.returncode == 0, found.stdout + found.stderr
    assert "unique" in (acme / "src/acme/defs/till/defs.yaml").read_text()
    unknown = command(
        *("dg", "scaffold", "defs", "etl_platform.pipeline", "ftp", "--uri", "ftp://x/y")
    )
    assert unknown.returncode == 1
    assert "Error: addresses that begin with 'ftp' are not known" in unknown.stderr
    checked = command("dg", "check", "yaml")
    assert checked.returncode == 0, checked.stdout
