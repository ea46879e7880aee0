"""The same SELECT statements as a project of the platform, of dbt and of SQLMesh.

Each project reads TPC-H in the form that serves it best: the peers a native DuckDB file that has
the tables, the platform its own published ones. What is timed is one command, from its start to its
end, as a person or a scheduler runs it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import tpch
from benchmarks.measure import DATA, Figure
from benchmarks.peers import peers_python

FOLDER = (DATA / "transforms").absolute()
_THREADS = 2
_RAW = FOLDER / "raw.duckdb"
# dbt-core 1.12 needs a package whose build downloads from elsewhere than the registry.
_REQUIREMENTS = ("dbt-core<1.12", "dbt-duckdb", "sqlmesh", "pyarrow")
_DEFINITIONS = """
from pathlib import Path
import dagster as dg
from etl_platform.io_manager import LakeIOManager
from etl_platform.resources import LakeResource

@dg.definitions
def defs():
    lake = LakeResource()
    resources = {"lake": lake, "lake_io_manager": LakeIOManager(lake=lake)}
    return dg.Definitions.merge(
        dg.load_from_defs_folder(path_within_project=Path(__file__).parent),
        dg.Definitions(resources=resources),
    )
"""


@dataclass(frozen=True)
class Project:
    """A folder, the command that makes all its tables, and what the command needs around it."""

    folder: Path
    command: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict[str, str])

    def run(self) -> Figure:
        """Run the command once; seconds and processor time are of all its processes.

        Raises:
            SystemExit: the command failed, with what it printed.
        """
        begun = time.perf_counter()
        with (self.folder / "printed.txt").open("w+b") as printed:
            process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env={**os.environ, **self.variables},
                stdout=printed,
                stderr=subprocess.STDOUT,
            )
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            seconds = time.perf_counter() - begun
            if process.returncode:
                printed.seek(0)
                text = printed.read().decode(errors="replace")
                raise SystemExit(f"{' '.join(self.command)} failed:\n{text[-6000:]}")
        return Figure(seconds, used.ru_maxrss / 1024, {"cpu": used.ru_utime + used.ru_stime})


def platform(name: str, models: Mapping[str, str]) -> Project:
    """Models of the schema ``models`` as assets, over TPC-H in a lake of the project's own."""
    folder = _empty(f"platform_{name}")
    package = folder / "bench_models"
    files = package / "defs" / "models" / "sql"
    files.mkdir(parents=True)
    for place in (package, package / "defs"):
        (place / "__init__.py").touch()
    (folder / "pyproject.toml").write_text(
        '[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "bench_models"\n'
        'defs_module = "bench_models.defs"\n'
    )
    (package / "definitions.py").write_text(_DEFINITIONS)
    for model, sql in models.items():
        (files / f"{model}.sql").write_text(sql)
    variables = {
        "PYTHONPATH": str(folder),
        "DAGSTER_HOME": str(folder / "home"),
        "DAGSTER_DISABLE_TELEMETRY": "true",
        "ETL_LAKE_URI": str(folder / "lake"),
        "ETL_METASTORE_URL": f"sqlite:///{folder / 'metastore.db'}",
        "ETL_TEMP_DIR": str(folder / "tmp"),
        "ETL_THREADS": str(_THREADS),
    }
    (folder / "home").mkdir()
    shutil.copy2("dagster.yaml", folder / "home" / "dagster.yaml")
    types = "".join(
        f"    tpch.{table}: {{{columns}}}\n" for table, columns in _loaded(folder / "lake").items()
    )
    (files.parent / "defs.yaml").write_text(
        "type: etl_platform.SqlModelsComponent\nattributes:\n  folder: sql\n"
        f"  target_schema: models\n  external_tables:\n{types}"
    )
    command = (str(Path(sys.executable).with_name("etl")), "materialize", "*")
    command += ("-m", "bench_models.definitions")
    return Project(folder, command, variables)


def dbt(name: str, models: Mapping[str, str]) -> Project:
    """Tables of dbt-duckdb, two at a time; what a first run parses is kept for the next."""
    folder = _empty(f"dbt_{name}")
    (folder / "models").mkdir()
    for model, sql in models.items():
        (folder / "models" / f"{model}.sql").write_text(_with_refs(sql, models))
    _raw(folder / "warehouse.duckdb")
    (folder / "dbt_project.yml").write_text(
        "name: bench\nversion: '1.0'\nprofile: bench\nmodel-paths: [models]\n"
        "models: {bench: {+materialized: table}}\n"
        "flags: {send_anonymous_usage_stats: false}\n"
    )
    (folder / "profiles.yml").write_text(
        "bench:\n  target: dev\n  outputs:\n    dev:\n      type: duckdb\n"
        f"      path: {folder / 'warehouse.duckdb'}\n      schema: models\n"
        f"      threads: {_THREADS}\n      settings: {{threads: {_THREADS}}}\n"
    )
    program = str(_peers().with_name("dbt"))
    command = (program, "run", "--no-version-check", "--profiles-dir", str(folder))
    return Project(folder, command)


def sqlmesh(name: str, models: Mapping[str, str]) -> Project:
    """Models of SQLMesh of the kind FULL, all due."""
    folder = _empty(f"sqlmesh_{name}")
    (folder / "models").mkdir()
    for model, sql in models.items():
        head = f"MODEL (name models.{model}, kind FULL, dialect duckdb);\n\n"
        (folder / "models" / f"{model}.sql").write_text(head + sql + "\n")
    _raw(folder / "warehouse.duckdb")
    (folder / "config.yaml").write_text(
        textwrap.dedent(
            f"""
            gateways:
              local:
                connection:
                  type: duckdb
                  database: {folder / "warehouse.duckdb"}
                  connector_config: {{threads: {_THREADS}}}
            default_gateway: local
            model_defaults: {{dialect: duckdb, start: '2024-01-01'}}
            disable_anonymized_analytics: true
            """
        )
    )
    python = _peers()
    program = str(python.with_name("sqlmesh"))
    once = Project(folder, (program, "create_external_models"))
    once.run()
    Project(folder, (program, "plan", "--auto-apply", "--no-prompts")).run()
    return Project(
        folder, (program, "plan", "--auto-apply", "--no-prompts", "--restate-model", "models.*")
    )


def _peers() -> Path:
    return peers_python(*_REQUIREMENTS, name="peers-models")


def _empty(name: str) -> Path:
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _with_refs(sql: str, models: Mapping[str, str]) -> str:
    # dbt knows the order of models only from ref().
    for model in models:
        sql = sql.replace(f"models.{model}", f"{{{{ ref('{model}') }}}}")
    return sql


def _raw(target: Path) -> None:
    """A copy of a DuckDB file that has TPC-H, made once by the peers' own DuckDB."""
    if not _RAW.exists():
        statements = ["CREATE SCHEMA tpch"] + [
            f"CREATE TABLE tpch.{table} AS SELECT * FROM '{tpch.source(table).absolute()}'"
            for table in tpch.TABLES
        ]
        code = (
            "import duckdb, sys\n"
            "with duckdb.connect(sys.argv[1]) as con:\n"
            "    for statement in sys.argv[2:]: con.execute(statement)\n"
        )
        subprocess.run([str(_peers()), "-c", code, str(_RAW), *statements], check=True)
    shutil.copy2(_RAW, target)


def _loaded(lake_folder: Path) -> Mapping[str, str]:
    """What :func:`load` returns, by a process of its own, so that this one stays small.

    The peak that the system tells of a child is never less than what its parent had.
    """
    code = (
        "import json, sys; from benchmarks.model_projects import load; from pathlib import Path; "
    )
    code += "print(json.dumps(dict(load(Path(sys.argv[1])))))"
    words = [sys.executable, "-c", code, str(lake_folder)]
    done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def load(lake_folder: Path) -> Mapping[str, str]:
    """Publish TPC-H into a lake; returns the columns of each table as YAML writes them."""
    from etl_platform.core.names import TableName
    from etl_platform.core.settings import Settings
    from etl_platform.core.types import duckdb_type
    from etl_platform.lakehouse.lake import Lake

    lake = Lake(settings=Settings(lake_uri=str(lake_folder)))
    found: dict[str, str] = {}
    for name in tpch.TABLES:
        table = TableName("tpch", name)
        lake.publish(lake.stage(table, tpch.stream(name)))
        fields = lake.schema(table)
        found[name] = ", ".join(f"{f.name}: '{duckdb_type(f.type)}'" for f in fields)
    return found


def medians(projects: Mapping[str, Project], runs: int) -> dict[str, Figure]:
    """Run the projects in turn, after one warm-up each; the medians of the counted runs."""
    from benchmarks.measure import median_of

    taken: dict[str, list[Figure]] = {name: [] for name in projects}
    for turn in range(runs + 1):
        for name, project in projects.items():
            figure = project.run()
            if turn:
                taken[name].append(figure)
    return {name: median_of(figures) for name, figures in taken.items()}


MAKERS = {"platform": platform, "dbt-duckdb": dbt, "SQLMesh": sqlmesh}


def projects(name: str, models: Mapping[str, str], of: Sequence[str] = ()) -> dict[str, Project]:
    """A project of each kind with the same models."""
    return {kind: MAKERS[kind](name, models) for kind in of or tuple(MAKERS)}
