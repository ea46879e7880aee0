"""Seconds from an address to the files of its pipeline: 200 tables, 3,000 columns, 5 ms away.

    python -m benchmarks.generation            # --tables 200 --latency-ms 5 --times 5
    python -m benchmarks.generation --load     # and load the project and materialise every asset

Prints the time of the whole work in a fresh process (with imports) and within it (looking, merging
and writing), the round trips, and what a second run takes after 20 changes of the schema.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from etl_platform_tests.servers.distance import distance
from etl_platform_tests.servers.postgres import PostgresServer, serving


def fill(server: PostgresServer, tables: int) -> None:
    """Tables of 15 columns with keys, references, comments, indexes and some rows."""
    with server.connect() as session:
        for number in range(tables):
            parent = max(0, number - 1)
            session.execute(
                f"CREATE TABLE t{number:03d} (id bigint PRIMARY KEY, "
                f"parent_id bigint REFERENCES t{parent:03d} (id), "
                "email text, full_name text NOT NULL, phone text, city varchar(40), "
                "note text, "
                "amount numeric(12, 2) NOT NULL, share double precision, quantity int NOT NULL, "
                "active boolean NOT NULL, born date, payload jsonb, "
                "created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL)".encode()
            )
            session.execute(
                f"COMMENT ON TABLE t{number:03d} IS 'Things of kind {number}, one row each'; "
                f"CREATE INDEX ON t{number:03d} (updated_at); "
                f"INSERT INTO t{number:03d} SELECT n, n, 'u' || n || '@example.org', 'Ada Byron', "
                "'+49 30 1234567', 'Berlin', 'x', n, n, n, true, '2000-01-01', '{}', now(), now() "
                "FROM generate_series(1, 100) n".encode()
            )
        session.execute("ANALYZE")


def changed(server: PostgresServer) -> None:
    """Twenty changes: tables and columns that come, go and become something else."""
    with server.connect() as session:
        for number in range(5):
            session.execute(f"CREATE TABLE new{number} (id int PRIMARY KEY, v text)".encode())
            session.execute(f"ALTER TABLE t{number + 10:03d} ADD COLUMN extra text".encode())
            session.execute(f"ALTER TABLE t{number + 20:03d} DROP COLUMN note".encode())
            session.execute(f"ALTER TABLE t{number + 30:03d} ALTER amount DROP NOT NULL".encode())


def project(root: Path) -> Path:
    """An empty Dagster project."""
    defs = root / "acme" / "defs"
    defs.mkdir(parents=True)
    for folder in (defs, defs.parent):
        (folder / "__init__.py").touch()
    (root / "pyproject.toml").write_text(
        '[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "acme"\n'
    )
    return defs


def add(root: Path, url: str, *options: str) -> tuple[float, dict[str, object]]:
    """Run the command in a process of its own; seconds of the process, and what it printed."""
    began = time.perf_counter()
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("etl")),
            "add",
            url,
            "--name",
            "shop",
            "--json",
            *options,
        ],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)},
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        sys.exit(done.stderr)
    return seconds, json.loads(done.stdout)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--tables", type=int, default=200)
    options.add_argument("--latency-ms", type=float, default=5)
    options.add_argument("--times", type=int, default=5)
    options.add_argument("--load", action="store_true")
    given = options.parse_args()
    work = Path(tempfile.mkdtemp(prefix="etl-generation-"))
    postgres = Path(tempfile.mkdtemp(prefix="etl-postgres-"))
    try:
        with serving(postgres) as server, distance(server.port, given.latency_ms / 1000) as far:
            fill(server, given.tables)
            url = f"postgresql://postgres@127.0.0.1:{far.port}/postgres"
            whole: list[float] = []
            inside: list[float] = []
            files: object = []
            root = work
            for number in range(given.times):
                root = work / f"p{number}"
                project(root)
                seconds, told = add(root, url)
                whole.append(seconds)
                inside.append(float(str(told["seconds"])))
                files = told["files"]
            assert isinstance(files, list)
            print(
                f"{given.tables} tables, {given.tables * 15} columns, {given.latency_ms:g} ms per "
                f"round trip: {len(files)} files"
            )
            print(f"  process      {statistics.median(whole):.2f} s (median of {given.times})")
            print(f"  the command  {statistics.median(inside):.2f} s")
            if given.load:
                load(root)
            changed(server)
            seconds, told = add(root, url, "--yes")
            files = told["files"]
            assert isinstance(files, list)
            print(
                f"after 20 changes: {len(files)} files changed, process {seconds:.2f} s, "
                f"the command {told['seconds']} s, conflicts {len(list(told['conflicts']))}"  # type: ignore[call-overload] - JSON
            )
    finally:
        shutil.rmtree(work, ignore_errors=True)
        shutil.rmtree(postgres, ignore_errors=True)


def load(root: Path) -> None:
    """Materialise every asset within one process, as ``etl_platform_tests`` does it."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _LOAD],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ
        | {
            "PYTHONPATH": f"{Path(__file__).parent.parent}:{root}",
            "ETL_LAKE_URI": str(root / "lake"),
            "ETL_METASTORE_URL": f"sqlite:///{root / 'metastore.db'}",
            "DAGSTER_DISABLE_TELEMETRY": "true",
        },
    )
    print(f"  materialised in {time.perf_counter() - began:.0f} s: {done.stdout.strip()}")
    if done.returncode:
        print(done.stderr[-3000:])


_LOAD = """
import sys
from pathlib import Path
import dagster as dg
from etl_platform.io_manager import LakeIOManager
from etl_platform.resources import LakeResource
lake = LakeResource()
found = dg.load_from_defs_folder(path_within_project=Path('acme/defs').resolve())
defs = dg.Definitions.merge(found, dg.Definitions(resources={
    'lake': lake, 'lake_io_manager': LakeIOManager(lake=lake)}))
job = defs.resolve_implicit_global_asset_job_def()
with dg.DagsterInstance.ephemeral() as instance:
    result = job.execute_in_process(instance=instance, raise_on_error=False)
    checks = result.get_asset_check_evaluations()
    bad = [c for c in checks if not c.passed]
    print(f'success {result.success}, {len(result.get_asset_materialization_events())} assets, '
          f'{len(checks)} checks, {len(bad)} not passed')
    for event in result.all_events:
        if event.is_step_failure:
            print(event.step_key, event.event_specific_data.error.to_string()[:1500]); break
"""

if __name__ == "__main__":
    main()
