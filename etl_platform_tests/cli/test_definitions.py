"""Where commands find the definitions of a project."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from etl_platform.cli.definitions import definitions_of


def test_a_module_of_the_working_directory_is_found_as_dagster_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"project_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(
        "import dagster as dg\n\n@dg.asset\ndef answer(): ...\n\n"
        "defs = dg.Definitions(assets=[answer])\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert [key.to_user_string() for key in definitions_of(name).resolve_all_asset_keys()] == [
        "answer"
    ]
