"""Loading the definitions of 500 tables in a fresh process, imports included.

``plain`` builds 500 ``@asset`` functions in Python; ``platform`` loads one YAML component whose
database has 500 tables of ten columns; ``platform, 2 rules a table`` adds a contract to each.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

from benchmarks.measure import DATA, Operation, child, compare, report

TABLES = 500
_COLUMNS = ", ".join(f"c{i} INTEGER" for i in range(9))
_FOLDER = (DATA / "definitions").absolute()
_RULES = "{rules: [{rule: not_null, column: id}, {rule: range, column: c1, min: 0}]}"


def prepare(name: str, defaults: str) -> None:
    """Make a project with one source of 500 tables, and ask the source for them."""
    project = _FOLDER / name
    shutil.rmtree(project, ignore_errors=True)
    defs = project / "bench_project" / "defs" / "source"
    defs.mkdir(parents=True)
    (project / "bench_project" / "__init__.py").touch()
    (project / "bench_project" / "defs" / "__init__.py").touch()
    (project / "pyproject.toml").write_text(
        '[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "bench_project"\n'
        'defs_module = "bench_project.defs"\n'
    )
    (project / "bench_project" / "definitions.py").write_text(
        "from pathlib import Path\nimport dagster as dg\n"
        "from etl_platform.io_manager import LakeIOManager\n"
        "from etl_platform.resources import LakeResource\n"
        "@dg.definitions\ndef defs():\n"
        "    lake = LakeResource()\n"
        "    return dg.Definitions.merge(\n"
        "        dg.load_from_defs_folder(path_within_project=Path(__file__).parent),\n"
        '        dg.Definitions(resources={"lake": lake, '
        '"lake_io_manager": LakeIOManager(lake=lake)}))\n'
    )
    (defs / "defs.yaml").write_text(
        "type: etl_platform.DatabaseSourceComponent\nattributes:\n"
        f"  url: sqlite:///{project}/source.db\n  target_schema: shop\n{defaults}"
    )
    with sqlite3.connect(project / "source.db") as con:
        for i in range(TABLES):
            con.execute(f"CREATE TABLE t{i} (id INTEGER PRIMARY KEY, {_COLUMNS})")
    con.close()
    command = [str(Path(sys.executable).with_name("dg")), "utils", "refresh-defs-state"]
    environment = {**os.environ, "PYTHONPATH": str(project)}
    subprocess.run(command, cwd=project, env=environment, check=True, capture_output=True)


def plain() -> Operation:
    def load() -> None:
        import dagster as dg

        def make(i: int) -> dg.AssetsDefinition:
            @dg.asset(key=["shop", f"t{i}"], description=f"Table t{i}.", kinds={"sqlite"})
            def table() -> None: ...

            return table

        repository = dg.Definitions(assets=[make(i) for i in range(TABLES)]).get_repository_def()
        assert len(repository.assets_defs_by_key) == TABLES

    return load


def platform(name: str) -> Operation:
    def load() -> None:
        sys.path.insert(0, str(_FOLDER / name))
        from bench_project.definitions import (
            defs,  # pyright: ignore[reportMissingImports] # made above
        )

        repository = defs().get_repository_def()
        assert len(repository.assets_defs_by_key) == TABLES

    return load


_VARIANTS = {
    "plain": plain,
    "platform": lambda: platform("bare"),
    "platform, 2 rules a table": lambda: platform("ruled"),
}


def main(runs: int) -> None:
    prepare("bare", "")
    prepare("ruled", f"  defaults: {{contract: {_RULES}}}\n")
    figures = compare("definitions", list(_VARIANTS), runs)
    bars = {"platform": "at most 3.00 in time"}
    report(f"Load the definitions of {TABLES} tables, fresh process", figures, "plain", bars)


if __name__ == "__main__":
    child(_VARIANTS[sys.argv[1]])
