"""The databases of the sources' conformance suite: a line in ``OPENING`` adds one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from etl_platform.sources.database import ENGINES

_SAME_QUOTING = "SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES'"


@dataclass(frozen=True)
class SourceUnderTest:
    """A real, empty database. ``execute`` takes standard SQL, names quoted by ``"``."""

    kind: str
    url: str
    execute: Callable[..., None]

    def table_names(self) -> set[str]:
        """The tables that stand in it, asked with a session of its own."""
        from etl_platform.sources.database import Database, reflect

        database = Database("check", self.url)
        try:
            return {table.name for table in reflect(database)}
        finally:
            database.close()


def _postgresql(request: pytest.FixtureRequest, _: Path) -> SourceUnderTest:
    found = request.getfixturevalue("postgres")
    return SourceUnderTest("postgresql", found.url, found.execute)


def _mysql(request: pytest.FixtureRequest, _: Path) -> SourceUnderTest:
    found = request.getfixturevalue("mariadb")

    def execute(*statements: str) -> None:
        found.execute(_SAME_QUOTING, *statements)

    return SourceUnderTest("mysql", found.url, execute)


def _sqlite(_: pytest.FixtureRequest, folder: Path) -> SourceUnderTest:
    path = folder / "source.db"

    def execute(*statements: str) -> None:
        with sqlite3.connect(path) as session:
            for statement in statements:
                session.execute(statement)
        session.close()

    execute()
    return SourceUnderTest("sqlite", f"sqlite:///{path}", execute)


def _duckdb(_: pytest.FixtureRequest, folder: Path) -> SourceUnderTest:
    import duckdb

    path = folder / "source.duckdb"

    def execute(*statements: str) -> None:
        with duckdb.connect(path) as session:
            for statement in statements:
                session.execute(statement)

    execute()
    return SourceUnderTest("duckdb", f"duckdb:///{path}", execute)


OPENING: Mapping[str, Callable[[pytest.FixtureRequest, Path], SourceUnderTest]] = {
    "postgresql": _postgresql,
    "mysql": _mysql,
    "sqlite": _sqlite,
    "duckdb": _duckdb,
}
_MARKS: Mapping[str, Any] = {"postgresql": pytest.mark.postgres, "mysql": pytest.mark.mariadb}

PAIRS = [
    pytest.param(kind, engine.name, id=f"{kind}-{engine.name}", marks=_MARKS.get(kind, ()))
    for kind in OPENING
    for engine in ENGINES
    if kind in engine.capabilities(()).kinds
]
"""Every database with every engine that says that it reads it."""
