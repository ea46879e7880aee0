"""The commands of docs/operations.md keep everything, and bring it back at another place."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from typer.testing import CliRunner

from etl_platform.cli.app import app
from etl_platform.core.settings import get_settings
from etl_platform.io_manager import LakeIOManager
from etl_platform.publishing.lake_asset import lake_asset
from etl_platform.resources import LakeResource
from etl_platform_tests.docs.blocks import blocks

TELLING = (
    ("status",),
    ("receipts", "shop.orders"),
    ("audit",),
    ("history",),
    ("engines",),
    ("search", "orders of customers"),
    ("query", "SELECT id, _rule, _reason FROM shop.orders__quarantine"),
    ("query", "@dear"),
    ("profile", "shop.orders"),
)
"""What is asked before and after."""

MOVING = ("age_s", "seconds", "planning_s")


@lake_asset(
    key=["shop", "orders"],
    contract={"rules": [{"rule": "range", "column": "amount", "min": 0, "action": "quarantine"}]},
)
def orders(context: dg.AssetExecutionContext) -> pl.DataFrame:
    """Orders of customers."""
    amounts = [10, 20, -30] if context.run.tags.get("first") else [10, 20, 30, 40]
    return pl.DataFrame({"id": range(len(amounts)), "amount": amounts})


def answers() -> list[object]:
    """What the commands print, but for how long ago and how quickly something was."""
    told = []
    for words in TELLING:
        done = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
        assert done.exit_code == 0, (words, done.output)
        told.append(without_clock(json.loads(done.stdout)))
    return told


def without_clock(value: object) -> object:
    if isinstance(value, dict):
        return {k: without_clock(v) for k, v in value.items() if k not in MOVING}
    return [without_clock(one) for one in value] if isinstance(value, list) else value


def script(number: int, env: Mapping[str, str]) -> str:
    """Run the n-th script of the page as it stands there."""
    found = [block for block in blocks("sh") if block.place.startswith("docs/operations.md")]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", found[number].text],
        env={**os.environ, **env, "PATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.stored_instance
def test_what_was_kept_answers_at_another_place_as_before(
    stored_instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine, backup, fresh = (tmp_path / name for name in ("machine", "backup", "fresh"))
    backup.mkdir()
    home = Path(os.environ["DAGSTER_HOME"])

    def places(root: Path) -> dict[str, str]:
        return {
            "LAKE": str(root / "lake"),
            "METASTORE": str(root / "records" / "metastore.db"),
            "CATALOG": str(root / "catalog"),
            "DAGSTER_HOME": str(home if root == machine else root / "dagster"),
            "BACKUP": str(backup),
            "OLD_LAKE": str(machine / "lake"),
        }

    def live_at(root: Path) -> None:
        at = places(root)
        monkeypatch.setenv("ETL_LAKE_URI", at["LAKE"])
        monkeypatch.setenv("ETL_METASTORE_URL", f"sqlite:///{at['METASTORE']}")
        monkeypatch.setenv("ETL_CATALOG_DIR", at["CATALOG"])
        monkeypatch.setenv("ETL_TEMP_DIR", str(root / "tmp"))
        monkeypatch.setenv("DAGSTER_HOME", at["DAGSTER_HOME"])
        get_settings.cache_clear()

    def runs() -> list[object]:
        with dg.DagsterInstance.get() as instance:
            return [
                [(run.run_id, run.status, len(instance.all_logs(run.run_id))) for run in
                 instance.get_runs()],
                instance.get_latest_materialization_event(dg.AssetKey(["shop", "orders"])),
            ]  # fmt: skip

    live_at(machine)
    resources = {"lake": (lake := LakeResource()), "lake_io_manager": LakeIOManager(lake=lake)}
    for tags in ({"first": "yes"}, {}):
        done = dg.materialize([orders], instance=stored_instance, resources=resources, tags=tags)
        assert done.success
    for words in (
        ("query", "SELECT * FROM shop.orders WHERE amount > 15", "--save", "dear"),
        ("catalog", "refresh"),
        ("revert", "shop.orders", "--to", "0"),
    ):
        assert CliRunner().invoke(app, words).exit_code == 0
    script(0, places(machine))
    before, runs_before = answers(), runs()
    for path in (machine, home):
        shutil.rmtree(path)

    live_at(fresh)
    assert "are of" in script(1, places(fresh))
    assert answers() == before
    assert runs() == runs_before
    get_settings.cache_clear()
