"""MariaDB's planner with indexes that nobody else sees: on temporary copies of the tables.

MariaDB looks into the index itself to estimate a range, so that neither statistics nor an empty
table stand for one. A temporary table belongs to one session, is locked by nobody and goes with the
session; filling it reads the whole table once, which is only done where it was asked for.

Before version 11 EXPLAIN shows no costs. What stands for them is how many rows the plan examines by
the planner's own estimates.
"""

from __future__ import annotations

import secrets
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from etl_platform.sources.database.advice.catalogue import Catalogue, read_catalogue
from etl_platform.sources.database.advice.looking import Looking
from etl_platform.sources.database.advice.model import Explained, Index, Statement, TableId
from etl_platform.sources.database.advice.mysql_plans import PlanRow, examined, hints
from etl_platform.sources.database.advice.usage import real_tables

if TYPE_CHECKING:
    import pymysql
    from sqlalchemy import Connection

    from etl_platform.sources.database.advice.choosing import WhatIf
    from etl_platform.sources.database.advice.quoting import Quoting
    from etl_platform.sources.database.database import Database

    Session = pymysql.connections.Connection[Any]

_PLANNING_TIMEOUT_S = 10
_COPY_TIMEOUT_S = 600
_CANNOT_EXIST = {1071, 1170, 1901, 1903}
_STORED = """
SELECT column_name FROM information_schema.columns
WHERE table_schema = %s AND table_name = %s AND coalesce(generation_expression, '') = ''
ORDER BY ordinal_position
"""
_SIZE = """
SELECT data_length + index_length FROM information_schema.tables
WHERE table_schema = %s AND table_name = %s
"""


@contextmanager
def look(
    database: Database,
    connection: Connection,
    quoting: Quoting,
    statements: Sequence[Statement],
    build: bool,
) -> Generator[Looking]:
    """Ask about temporary copies where ``build`` allows them, or for plans only."""
    reading = _driver(connection)
    catalogue = read_catalogue(connection, database.dialect, statements)
    unit = "rows examined, as MariaDB's planner estimates them"

    def looking(planner: WhatIf, verified_by: str) -> Looking:
        def needs(indexes: Sequence[Index]) -> str | None:
            return None if build else _needs(reading, indexes)

        return Looking(
            planner, catalogue, verified_by, unit, needs, lambda *found: hints(reading, *found)
        )

    if not build:
        yield looking(Plain(reading, quoting), "plans without new indexes")
        return
    with database.faults("copying tables"), database.engine().connect() as held:
        mariadb = bool(getattr(held.dialect, "is_mariadb", False))
        try:
            yield looking(
                TemporaryCopies(_driver(held), quoting, catalogue, mariadb=mariadb),
                "MariaDB's planner, with indexes on temporary copies of the tables",
            )
        finally:
            held.invalidate()  # the copies go with the session


def _needs(session: Session, indexes: Sequence[Index]) -> str:
    sizes: list[str] = []
    for table in dict.fromkeys(index.table for index in indexes):
        ((size,),) = _rows(session, _SIZE, (table.schema, table.name)) or ((0,),)
        sizes.append(f"{table.full_name} ({int(size or 0) / 1e6:,.1f} MB)")
    return (
        f"{len(indexes)} possible index{'' if len(indexes) == 1 else 'es'}: MariaDB cannot plan "
        "with indexes that do not exist. Allow --build, as a user with CREATE TEMPORARY TABLES: it "
        "copies whole tables into temporary ones of its session, without locks: " + ", ".join(sizes)
    )


class Plain:
    """Plans as they are: no index can be imagined."""

    def __init__(self, session: Session, quoting: Quoting) -> None:
        self._session, self._quoting = session, quoting

    def explain(
        self, statements: Sequence[Statement], indexes: Iterable[Index]
    ) -> tuple[Explained, ...]:
        assert not list(indexes)
        return tuple(_explained(self._session, one.text, {}, self._quoting) for one in statements)

    def size_bytes(self, index: Index) -> int | None:
        del index


class TemporaryCopies:
    """Copies made when an index on their table is first asked for.

    Every index that was asked for stays on its copy; IGNORE INDEX keeps the planner from those that
    are not in question. No name of a real table ever stands in a statement that changes something.
    """

    def __init__(
        self, session: Session, quoting: Quoting, catalogue: Catalogue, *, mariadb: bool
    ) -> None:
        self._session, self._quoting, self._catalogue = session, quoting, catalogue
        self._limit = "max_statement_time" if mariadb else "max_execution_time"
        self._unit = 1 if mariadb else 1_000
        self._copies: dict[TableId, str] = {}
        self._names: dict[Index, str] = {}
        _run(session, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")

    def explain(
        self, statements: Sequence[Statement], indexes: Iterable[Index]
    ) -> tuple[Explained, ...]:
        wanted = list(indexes)
        self._wait(_COPY_TIMEOUT_S)
        self._add([index for index in wanted if index not in self._names])
        self._wait(_PLANNING_TIMEOUT_S)
        names = {self._names[index]: index for index in wanted if index in self._names}
        _run(self._session, "START TRANSACTION READ ONLY")
        try:
            return tuple(
                _explained(self._session, self._on_copies(one, names), names, self._quoting)
                for one in statements
            )
        finally:
            self._session.rollback()

    def size_bytes(self, index: Index) -> int | None:
        """Rows times the average width of an entry: its values and, as in any index of InnoDB,
        the primary key, taken as 8 bytes, with 5 for the header."""
        copy = self._copies[index.table]
        widths = " + ".join(
            f"coalesce(length({key.sql}), 0)" for key in (*index.keys, *index.include)
        )
        ((rows, width),) = _rows(
            self._session,
            f"SELECT (SELECT count(*) FROM {copy}), "
            f"(SELECT avg(w) FROM (SELECT {widths} AS w FROM {copy} LIMIT 1000) s)",
        )
        return round(int(rows) * (float(width or 0) + 13))

    def _wait(self, seconds: int) -> None:
        _run(self._session, f"SET SESSION {self._limit} = {seconds * self._unit}")

    def _add(self, missing: Sequence[Index]) -> None:
        for table in dict.fromkeys(index.table for index in missing):
            if table not in self._copies:
                self._copies[table] = self._copy(table)
            for index in (one for one in missing if one.table == table):
                name = f"etl_what_if_{len(self._names)}"
                keys = ", ".join(key.sql for key in (*index.keys, *index.include))
                if self._try(f"ALTER TABLE {self._copies[table]} ADD INDEX {name} ({keys})"):
                    self._names[index] = name
            _rows(self._session, f"ANALYZE TABLE {self._copies[table]}")

    def _try(self, statement: str) -> bool:
        """False where the database has no such index: a TEXT without a length, a key too long."""
        import pymysql

        try:
            _run(self._session, statement)
        except pymysql.err.OperationalError as error:
            if error.args[0] not in _CANNOT_EXIST:
                raise
            return False
        return True

    def _copy(self, table: TableId) -> str:
        real = self._quoting.table(table)
        copy = self._quoting.table(TableId(table.schema, f"etl_copy_{secrets.token_hex(6)}"))
        stored = _rows(self._session, _STORED, (table.schema, table.name))
        columns = ", ".join(self._quoting.name(str(name)) for (name,) in stored)
        _run(self._session, f"CREATE TEMPORARY TABLE {copy} LIKE {real}")
        _run(self._session, f"INSERT INTO {copy} ({columns}) SELECT {columns} FROM {real}")
        return copy

    def _on_copies(self, statement: Statement, names: Mapping[str, Index]) -> str:
        """The author's text, with the copies in the places of the tables that have one."""
        text = statement.text
        places: list[tuple[int, int, str]] = []
        for named in real_tables(statement):
            table = self._catalogue.table(named)
            if table is None or table.id not in self._copies:
                continue
            unused = [name for index, name in self._names.items()
                      if index.table == table.id and name not in names]  # fmt: skip
            ignored = f" IGNORE INDEX ({', '.join(unused)})" if unused else ""
            alias = named.args.get("alias")
            end = named.this.meta["end"] + 1
            if alias is None:
                ignored = f" AS {self._quoting.name(named.name)}{ignored}"
            else:
                after = alias.this.meta["end"] + 1
                places.append((end, after, text[end:after] + ignored))
                ignored = ""
            places.append((named.parts[0].meta["start"], end, self._copies[table.id] + ignored))
        for start, end, put in sorted(places, reverse=True):
            text = text[:start] + put + text[end:]
        return text


def _explained(
    session: Session, text: str, names: Mapping[str, Index], quoting: Quoting
) -> Explained:
    import pymysql

    with session.cursor(pymysql.cursors.DictCursor) as cursor:
        cursor.execute(f"EXPLAIN EXTENDED {text}" if _extended(session) else f"EXPLAIN {text}")
        plan = [PlanRow.of(row) for row in cursor.fetchall()]
    used = frozenset(names[key] for row in plan for key in row.keys if key in names)
    shown = {name: quoting.index_name(index) for name, index in names.items()}
    accesses = tuple(row.shown(shown) for row in plan if row.table)
    return Explained(examined(plan), accesses, used)


def _extended(session: Session) -> bool:
    return "MariaDB" in session.get_server_info()


def _run(session: Session, statement: str) -> None:
    with session.cursor() as cursor:
        cursor.execute(statement)


def _rows(
    session: Session, query: str, values: tuple[object, ...] | None = None
) -> Sequence[tuple[Any, ...]]:
    with session.cursor() as cursor:
        cursor.execute(query, values)
        return cursor.fetchall()


def _driver(connection: Connection) -> Session:
    return cast("Session", cast("Any", connection).connection.driver_connection)
