"""``etl secrets check``: each reference is resolved, none is printed."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from etl_platform.cli.app import app
from etl_platform.core.settings import get_settings

SECRET = "correct-horse-battery-staple"
YAML = """
type: etl_platform.StreamSourceComponent
attributes:
  kafka:
    bootstrap_servers: env://SHOP_KAFKA
    security: {sasl: {username: etl, password: "file://%s/kafka"}}
  target_schema: shop
"""
DEFINITIONS = """
import dagster as dg
from etl_platform.resources import DatabaseResource

defs = dg.Definitions(resources={"shop": DatabaseResource(name="shop", url="env://SHOP_URL")})
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, Path]:
    """The module of a project whose references all resolve, and its folder."""
    name = f"project_{uuid4().hex[:8]}"
    folder = tmp_path / name
    (folder / "defs" / "shop").mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "definitions.py").write_text(DEFINITIONS)
    (folder / "defs" / "shop" / "defs.yaml").write_text(YAML % folder)
    (folder / "kafka").write_text(f"{SECRET}-kafka")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("SHOP_KAFKA", f"{SECRET}-broker:9092")
    monkeypatch.setenv("SHOP_URL", f"postgresql://etl:{SECRET}@db/shop")
    monkeypatch.setenv("MASK_KEY", SECRET)
    monkeypatch.setenv("ETL_MASK_KEY", "env://MASK_KEY")
    get_settings.cache_clear()
    return f"{name}.definitions", folder


def check(module: str) -> tuple[int, dict[str, dict[str, object]], str]:
    done = CliRunner().invoke(app, ["secrets", "check", "--module", module, "--json"])
    assert done.stdout, done.exception
    return done.exit_code, {one["reference"]: one for one in json.loads(done.stdout)}, done.output


def test_every_reference_of_settings_yaml_and_resources_is_found_and_resolved(project):
    module, folder = project
    status, found, output = check(module)
    assert status == 0
    assert {name: one["used_in"] for name, one in found.items()} == {
        "env://MASK_KEY": ["setting ETL_MASK_KEY"],
        "env://SHOP_KAFKA": ["defs/shop/defs.yaml:5"],
        f"file://{folder}/kafka": ["defs/shop/defs.yaml:6"],
        "env://SHOP_URL": ["resource shop"],
    }
    assert all(one["resolves"] for one in found.values())
    assert SECRET not in output


def test_one_reference_that_does_not_resolve_fails_the_command_and_says_why(project):
    module, folder = project
    (folder / "kafka").unlink()
    status, found, output = check(module)
    assert status == 1
    lost = found[f"file://{folder}/kafka"]
    assert not lost["resolves"]
    assert "No such file" in str(lost["error"])
    assert sum(bool(one["resolves"]) for one in found.values()) == 3
    assert SECRET not in output


def test_a_credential_that_stands_in_a_definition_fails_the_command_with_the_fix(project):
    module, folder = project
    (folder / "defs" / "old.yaml").write_text(f"x:\n  uri: mysql://etl:{SECRET}@db/shop\n")
    status, found, output = check(module)
    assert status == 1
    assert found["a literal credential"]["used_in"] == ["defs/old.yaml:2"]
    assert "env://" in str(found["a literal credential"]["error"])
    assert SECRET not in output


def test_people_see_a_table_of_references(project):
    module, _ = project
    done = CliRunner().invoke(app, ["secrets", "check", "-m", module])
    assert done.exit_code == 0
    assert "env://SHOP_URL" in done.stdout
    assert "resolves" in done.stdout
    assert SECRET not in done.output
