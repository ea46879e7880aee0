"""SQLite's planner with indexes that are not there: in memory, on the schema and its statistics.

The planner looks at the schema and at ``sqlite_stat1`` (https://www.sqlite.org/queryplanner-ng.html),
so a copy of both, without a row, plans as the file does. A new index is tried as it would be right
after CREATE INDEX, without statistics, and as it would be after ANALYZE, with figures counted in
the file; the planner has to use it both times.

SQLite shows no costs. What stands for them here is how many rows the plan visits, worked out from
the same counts, and for ranges and constants from counting what they match.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

from etl_platform.sources.database.advice.catalogue import read_catalogue
from etl_platform.sources.database.advice.looking import Looking
from etl_platform.sources.database.advice.model import Explained, Index, Statement, Table
from etl_platform.sources.database.advice.sqlite_counts import Counts
from etl_platform.sources.database.advice.sqlite_visits import PlanLine, visits
from etl_platform.sources.database.advice.usage import Usage, usages

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from etl_platform.sources.database.advice.quoting import Quoting
    from etl_platform.sources.database.database import Database

_SCHEMA = """
SELECT sql FROM sqlite_schema
WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite~_%' ESCAPE '~'
  AND type IN ('table', 'index', 'view') AND sql NOT LIKE 'CREATE VIRTUAL%'
ORDER BY type = 'view', type = 'index', rowid
"""


@contextmanager
def look(
    database: Database,
    connection: Connection,
    quoting: Quoting,
    statements: Sequence[Statement],
    build: bool,
) -> Generator[Looking]:
    """Ask an empty copy in memory; the file is read and never written."""
    del build  # nothing has to be allowed
    source = cast("sqlite3.Connection", cast("Any", connection).connection.driver_connection)
    catalogue = read_catalogue(connection, database.dialect, statements)
    with closing(sqlite3.connect(":memory:")) as copy:
        analysed = _copy(source, copy)
        uses = {one.number: usages(one, catalogue, quoting) for one in statements}
        planner = EmptyCopy(copy, quoting, Counts(source, quoting), uses)
        yield Looking(
            planner,
            catalogue,
            "SQLite's planner, on an empty copy of the schema and its statistics in memory",
            "rows visited, estimated from counts",
            lambda _indexes: None,
            lambda _uses, _chosen: _hints(catalogue.tables, analysed),
        )


class EmptyCopy:
    """Plans of the copy, with indexes that exist in it alone."""

    def __init__(
        self,
        copy: sqlite3.Connection,
        quoting: Quoting,
        counts: Counts,
        uses: Mapping[int, Sequence[Usage]],
    ) -> None:
        self._copy, self._quoting, self._counts = copy, quoting, counts
        self._uses = uses

    def explain(
        self, statements: Sequence[Statement], indexes: Iterable[Index]
    ) -> tuple[Explained, ...]:
        made = self._make(indexes)
        try:
            unanalysed = [self._plan(statement) for statement in statements]
            with self._analysed(made):
                analysed = [self._plan(statement) for statement in statements]
            return tuple(
                self._explained(statement, before, after, made)
                for statement, before, after in zip(statements, unanalysed, analysed, strict=True)
            )
        finally:
            for name in made:
                self._copy.execute(f"DROP INDEX {self._quoting.name(name)}")

    def size_bytes(self, index: Index) -> int | None:
        return self._counts.index_bytes(index)

    def _make(self, indexes: Iterable[Index]) -> dict[str, Index]:
        made: dict[str, Index] = {}
        for number, index in enumerate(indexes):
            name = f"etl_what_if_{number}"
            # An expression that is not deterministic, for example: there is no such index.
            with suppress(sqlite3.OperationalError):
                self._copy.execute(self._quoting.create(index, name))
                made[name] = index
        return made

    def _plan(self, statement: Statement) -> tuple[PlanLine, ...]:
        rows = self._copy.execute(f"EXPLAIN QUERY PLAN {statement.text}").fetchall()
        return tuple(PlanLine(int(one), int(parent), str(text)) for one, parent, _, text in rows)

    @contextmanager
    def _analysed(self, made: dict[str, Index]) -> Generator[None]:
        """What ANALYZE would find, counted in the file; the old statistics come back afterwards."""
        kept = self._copy.execute("SELECT tbl, idx, stat FROM sqlite_stat1").fetchall()
        try:
            self._copy.executemany(
                "INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?, ?, ?)",
                [
                    (index.table.name, name, self._counts.stat(index))
                    for name, index in made.items()
                ],
            )
            known = {table for table, _, _ in kept}
            tables = {use.table.id for uses in self._uses.values() for use in uses}
            self._copy.executemany(
                "INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?, NULL, ?)",
                [(t.name, str(self._counts.rows(t))) for t in tables if t.name not in known],
            )
            self._copy.execute("ANALYZE sqlite_schema")
            yield
        finally:
            self._copy.execute("DELETE FROM sqlite_stat1")
            self._copy.executemany("INSERT INTO sqlite_stat1 VALUES (?, ?, ?)", kept)
            self._copy.execute("ANALYZE sqlite_schema")

    def _explained(
        self,
        statement: Statement,
        before: Sequence[PlanLine],
        after: Sequence[PlanLine],
        made: dict[str, Index],
    ) -> Explained:
        used = _used(before, made) & _used(after, made)
        shown = {name: self._quoting.index_name(index) for name, index in made.items()}
        cost = max(
            visits(statement, plan, self._uses[statement.number], self._counts, self._quoting)
            for plan in (before, after)
        )
        return Explained(cost, tuple(line.shown(shown) for line in after if line.table), used)


def _used(plan: Iterable[PlanLine], made: dict[str, Index]) -> frozenset[Index]:
    return frozenset(made[line.index] for line in plan if line.index in made)


def _copy(source: sqlite3.Connection, copy: sqlite3.Connection) -> frozenset[str]:
    """The schema without triggers and virtual tables, and the statistics; tables that have some."""
    copy.execute("PRAGMA trusted_schema = OFF")
    for (text,) in source.execute(_SCHEMA):
        # What this build of SQLite cannot have (a collation of an application) is missed by the
        # statements that read it, which then say so.
        with suppress(sqlite3.OperationalError):
            copy.execute(text)
    copy.execute("ANALYZE")
    copy.execute("CREATE TABLE IF NOT EXISTS etl_for_analyze (a)")
    copy.execute("ANALYZE etl_for_analyze")
    copy.execute("DROP TABLE etl_for_analyze")
    copy.execute("DELETE FROM sqlite_stat1")
    present = source.execute("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_stat1'").fetchone()
    if not present:
        return frozenset()
    rows = source.execute("SELECT tbl, idx, stat FROM sqlite_stat1").fetchall()
    copy.executemany("INSERT INTO sqlite_stat1 VALUES (?, ?, ?)", rows)
    copy.execute("ANALYZE sqlite_schema")
    return frozenset(str(table) for table, _, _ in rows)


def _hints(tables: Iterable[Table], analysed: frozenset[str]) -> Iterator[str]:
    for table in tables:
        if table.id.name not in analysed and table.rows:
            yield (
                f"{table.id.name} has no statistics, the planner guesses its rows: run ANALYZE "
                "once, and PRAGMA optimize when connections close"
            )
