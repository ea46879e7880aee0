"""The project in a folder of its own, for commands that leave things behind.

Asking a source for its tables writes state into the package itself (``defs/.local_defs_state``),
and lake, Dagster home and demo database stand in the working directory. Commands of the tests
therefore run in a copy, which is also what they import: nothing of the developer's is read or
changed.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import etl_platform
from etl_platform import Platform
from etl_platform.demo import source
from etl_platform_tests.forked_commands import PROGRAMS, Commands

_PACKAGE = Path(etl_platform.__file__).parent
_FILES = ("pyproject.toml", "dagster.yaml", "workspace.yaml")
_STOP_TIMEOUT_S = 30


def fill(database: Path) -> None:
    """Make the demo's source with one flight in twenty, its airports repaired."""
    for _ in source.build(database):
        pass
    source.repair(database)
    change(database, "DELETE FROM flights WHERE rowid % 20 != 0")


def change(database: Path, *statements: str) -> None:
    """Run statements in the source, in one transaction."""
    with sqlite3.connect(database) as con:
        for statement in statements:
            con.execute(statement)
    con.close()


@dataclass(frozen=True)
class WorkingCopy:
    """A copy of package and configuration, with a Dagster home as the Makefile makes it.

    ``variables`` are set for everything that runs in it; with ``commands`` those of Dagster are
    forked.
    """

    root: Path
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    commands: Commands | None = None

    @classmethod
    def make(cls, root: Path, **variables: str) -> WorkingCopy:
        """Copy the project, without state, lake and database."""
        # Times are kept, so that byte code is copied as well and nothing is compiled again.
        shutil.copytree(
            _PACKAGE, root / _PACKAGE.name, ignore=shutil.ignore_patterns(".local_defs_state")
        )
        for name in _FILES:
            shutil.copy2(_PACKAGE.parent / name, root / name)
        (root / ".dagster").mkdir()
        (root / ".dagster" / "dagster.yaml").symlink_to("../dagster.yaml")
        return cls(root, variables)

    @property
    def home(self) -> Path:
        return self.root / ".dagster"

    @property
    def database(self) -> Path:
        return self.root / source.DATABASE

    @property
    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("ETL_", "DAGSTER_"))}
        return kept | {
            "DAGSTER_HOME": str(self.home),
            "DAGSTER_DISABLE_TELEMETRY": "true",
            "PYTHONPATH": str(self.root),
            **self.variables,
        }

    def platform(self) -> Platform:
        """The platform as the commands of this copy see it."""
        etl = self.root / ".etl"
        return Platform.open(
            lake_uri=str(etl / "lake"),
            metastore_url=f"sqlite:///{etl / 'metastore.db'}",
            temp_dir=str(etl / "tmp"),
        )

    def fill_database(self) -> None:
        fill(self.database)

    def change_source(self, *statements: str) -> None:
        change(self.database, *statements)

    def ask_source(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query in the source."""
        with closing(sqlite3.connect(self.database)) as con:
            return con.execute(query).fetchall()

    def run(self, *words: str) -> str:
        """Run a command of the environment and return what it printed; fails when it fails."""
        if self.commands is not None and words[0] in PROGRAMS:
            forked = self.commands.run(*words, cwd=self.root, env=self.environment)
            printed = forked.stdout + forked.stderr
            assert forked.returncode == 0, f"{' '.join(words)}\n{printed[-5000:]}"
            return printed
        done = subprocess.run(
            [_program(words[0]), *words[1:]],
            cwd=self.root,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout[-5000:]}"
        return done.stdout

    @contextmanager
    def serving(self, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        """Keep a service running; at the end it and everything that it started is stopped."""
        with (self.root / f"{words[0]}.log").open("wb") as log:
            process = subprocess.Popen(
                [_program(words[0]), *words[1:]],
                cwd=self.root,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                yield process
            finally:
                _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the group: code servers and run workers are children of the service."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, kind)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_TIMEOUT_S)


def _program(name: str) -> str:
    # Not resolved: the interpreter of a virtual environment is a link to that of the system.
    return str(Path(sys.executable).with_name(name))
