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
    with (
        closing(sqlite3.connect(":memory:")) as as_it_is,
        closing(sqlite3.connect(":memory:")) as counted,
    ):
        analysed = _copy(source, as_it_is)
        _copy(source, counted)
        uses = {one.number: usages(one, catalogue, quoting) for one in statements}
        counts = Counts(source, quoting)
        _count_tables(counted, catalogue.tables, counts, analysed)
        yield Looking(
            EmptyCopies(as_it_is, counted, quoting, counts, uses),
            catalogue,
            "SQLite's planner, on an empty copy of the schema and its statistics in memory",
            "rows visited, estimated from counts",
            lambda _indexes: None,
            lambda _uses, _chosen: _hints(catalogue.tables, analysed),
        )


class EmptyCopies:
    """Plans of two copies, with indexes that exist in them alone.

    ``as_it_is`` has the file's statistics and none for new indexes, ``counted`` those that ANALYZE
    would find. They are two because SQLite remembers the rows of a table whose statistics go.
    """

    def __init__(
        self,
        as_it_is: sqlite3.Connection,
        counted: sqlite3.Connection,
        quoting: Quoting,
        counts: Counts,
        uses: Mapping[int, Sequence[Usage]],
    ) -> None:
        self._as_it_is, self._counted = as_it_is, counted
        self._quoting, self._counts, self._uses = quoting, counts, uses

    def explain(
        self, statements: Sequence[Statement], indexes: Iterable[Index]
    ) -> tuple[Explained, ...]:
        made: dict[str, Index] = {}
        try:
            for number, index in enumerate(indexes):
                # An expression that is not deterministic, for example: there is no such index.
                with suppress(sqlite3.OperationalError):
                    self._make(f"etl_what_if_{number}", index, made)
            self._counted.execute("ANALYZE sqlite_schema")
            return tuple(self._explained(statement, made) for statement in statements)
        finally:
            for name in made:
                for copy in (self._as_it_is, self._counted):
                    copy.execute(f"DROP INDEX {self._quoting.name(name)}")

    def size_bytes(self, index: Index) -> int | None:
        return self._counts.index_bytes(index)

    def _make(self, name: str, index: Index, made: dict[str, Index]) -> None:
        create = self._quoting.create(index, name)
        self._as_it_is.execute(create)
        self._counted.execute(create)
        made[name] = index
        self._counted.execute(
            "INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?, ?, ?)",
            (index.table.name, name, self._counts.stat(index)),
        )

    def _explained(self, statement: Statement, made: dict[str, Index]) -> Explained:
        before = _plan(self._as_it_is, statement)
        after = _plan(self._counted, statement)
        shown = {name: self._quoting.index_name(index) for name, index in made.items()}
        cost = max(
            visits(statement, plan, self._uses[statement.number], self._counts, self._quoting)
            for plan in (before, after)
        )
        return Explained(
            cost,
            tuple(line.shown(shown) for line in after if line.table),
            used=_used(before, made) & _used(after, made),
            wanted=_used(before, made) | _used(after, made),
        )


def _plan(copy: sqlite3.Connection, statement: Statement) -> tuple[PlanLine, ...]:
    rows = copy.execute(f"EXPLAIN QUERY PLAN {statement.text}").fetchall()
    return tuple(PlanLine(int(one), int(parent), str(text)) for one, parent, _, text in rows)


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
    present = source.execute("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_stat1'").fetchone()
    if not present:
        return frozenset()
    rows = source.execute("SELECT tbl, idx, stat FROM sqlite_stat1").fetchall()
    _make_statistics(copy)
    copy.executemany("INSERT INTO sqlite_stat1 VALUES (?, ?, ?)", rows)
    copy.execute("ANALYZE sqlite_schema")
    return frozenset(str(table) for table, _, _ in rows)


def _make_statistics(copy: sqlite3.Connection) -> None:
    """The table of statistics, which only ANALYZE can make, and only where there is a table."""
    copy.execute("CREATE TABLE etl_for_analyze (a)")
    copy.execute("ANALYZE etl_for_analyze")
    copy.execute("DROP TABLE etl_for_analyze")


def _count_tables(
    copy: sqlite3.Connection, tables: Iterable[Table], counts: Counts, analysed: frozenset[str]
) -> None:
    """Rows of tables that have no statistics, as ANALYZE would count them."""
    if not analysed:
        _make_statistics(copy)
    copy.executemany(
        "INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?, NULL, ?)",
        [(t.id.name, str(counts.rows(t.id))) for t in tables if t.id.name not in analysed],
    )


def _hints(tables: Iterable[Table], analysed: frozenset[str]) -> Iterator[str]:
    blind = [table.id.name for table in tables if table.rows and table.id.name not in analysed]
    if blind:
        yield (
            f"no statistics of {', '.join(blind)}: the planner guesses; run ANALYZE once, and "
            "PRAGMA optimize when connections close"
        )
