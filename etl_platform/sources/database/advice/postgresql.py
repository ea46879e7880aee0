"""PostgreSQL's planner with indexes that are not there.

By the extension hypopg an index exists for the planner of one session only: nothing is written and
nothing is locked. Without it an index has to be built: in a transaction that is rolled back, which
holds back writers of the table meanwhile (SHARE lock), and so is only done where it was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from etl_platform.sources.database.advice.catalogue import read_catalogue
from etl_platform.sources.database.advice.looking import Looking
from etl_platform.sources.database.advice.model import Explained, Index, Statement, TableId
from etl_platform.sources.database.advice.postgresql_hints import statistics_hints

if TYPE_CHECKING:
    import psycopg
    from sqlalchemy import Connection

    from etl_platform.sources.database.advice.choosing import WhatIf
    from etl_platform.sources.database.advice.quoting import Quoting
    from etl_platform.sources.database.advice.usage import Usage
    from etl_platform.sources.database.database import Database

PLANNING_TIMEOUT_S = 10.0
_LOCK_TIMEOUT_MS = 2_000
_BUILD_TIMEOUT_MS = 600_000
# No operator class for the type, an expression that may change, a value too long for a B-tree.
_CANNOT_EXIST = {"42704", "42P17", "54000", "0A000"}
_WRITTEN = """
SELECT schemaname, relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_catalog.pg_stat_user_tables
"""


if TYPE_CHECKING:
    Session = psycopg.Connection[tuple[Any, ...]]


@contextmanager
def look(
    database: Database,
    connection: Connection,
    quoting: Quoting,
    statements: Sequence[Statement],
    build: bool,
) -> Generator[Looking]:
    """Ask by hypopg, by indexes that are built where ``build`` allows it, or for plans only."""
    session = driver(connection)
    _limit(session)
    catalogue = read_catalogue(connection, database.dialect, statements, rows_written(session))
    extension = hypopg_schema(session)
    planner: WhatIf = Plain(session, quoting)
    verified_by = "plans without new indexes"
    if build:
        planner = Built(database, quoting)
        verified_by = "PostgreSQL's planner, with indexes built and rolled back"
    elif extension is not None:
        planner = Hypothetical(session, quoting, extension)
        verified_by = "PostgreSQL's planner, with hypothetical indexes of hypopg"

    def needs(indexes: Sequence[Index]) -> str | None:
        return None if build or extension is not None else _needs(session, quoting, indexes)

    def hints(uses: Sequence[Sequence[Usage]], chosen: Sequence[Index]) -> Iterable[str]:
        del uses
        yield from statistics_hints(session, catalogue)
        for index in chosen:
            if any(key.column is None for key in index.keys):
                yield (
                    f"run ANALYZE {quoting.table(index.table)} after creating the index on an "
                    "expression: the planner knows nothing of its values before"
                )

    yield Looking(planner, catalogue, verified_by, "PostgreSQL's cost units", needs, hints)


def _needs(session: Session, quoting: Quoting, indexes: Sequence[Index]) -> str:
    sizes: list[str] = []
    for table in dict.fromkeys(index.table for index in indexes):
        sized = session.execute(b"SELECT pg_table_size(%s::regclass)", [quoting.table(table)])
        sizes.append(f"{table.full_name} ({int((sized.fetchone() or (0,))[0]) / 1e6:,.1f} MB)")
    return (
        f"{len(indexes)} possible index{'' if len(indexes) == 1 else 'es'}: PostgreSQL lacks the "
        "extension hypopg. Let an administrator run CREATE EXTENSION hypopg (nothing is written or "
        "locked then), or allow --build, as owner of the tables, best on a copy of the database: "
        "it builds indexes in transactions that are rolled back, and writers wait meanwhile for: "
        + ", ".join(sizes)
    )


class Plain:
    """Plans as they are: no index can be imagined."""

    def __init__(self, session: Session, quoting: Quoting) -> None:
        self._session, self._quoting = session, quoting

    def explain(
        self, statements: Sequence[Statement], indexes: Iterable[Index]
    ) -> tuple[Explained, ...]:
        assert not list(indexes)
        return tuple(explain(self._session, one, {}, self._quoting) for one in statements)

    def size_bytes(self, index: Index) -> int | None:
        del index


def hypopg_schema(session: Session) -> str | None:
    """The schema of the extension hypopg, or None where the database does not have it."""
    found = session.execute(
        b"SELECT n.nspname FROM pg_catalog.pg_extension e "
        b"JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'hypopg'"
    ).fetchone()
    return None if found is None else str(found[0])


class Hypothetical:
    """Plans with hypopg's indexes, in a read-only transaction.

    Source: https://hypopg.readthedocs.io/en/rel1_stable/usage.html
    """

    def __init__(self, session: Session, quoting: Quoting, schema: str) -> None:
        self._session, self._quoting = session, quoting
        self._schema = quoting.name(schema)
        self._sizes: dict[Index, int] = {}

    def explain(
        self, statements: Sequence[Statement], indexes: Iterable[Index]
    ) -> tuple[Explained, ...]:
        names: dict[str, Index] = {}
        self._call("hypopg_reset()")
        try:
            for index in indexes:
                made = _if_it_can_exist(self._session, lambda index=index: self._create(index))
                if made is not None:
                    names[made] = index
            return tuple(explain(self._session, one, names, self._quoting) for one in statements)
        finally:
            if not self._session.broken and self._session.info.transaction_status.name != "INERROR":
                self._call("hypopg_reset()")

    def size_bytes(self, index: Index) -> int | None:
        return self._sizes.get(index)

    def _create(self, index: Index) -> str:
        create = self._quoting.create(index, "hypothetical")
        oid, name = self._session.execute(
            f"SELECT indexrelid, indexname FROM {self._schema}.hypopg_create_index(%s)".encode(),
            [create],
        ).fetchone() or (0, "")
        sized = f"SELECT {self._schema}.hypopg_relation_size(%s)".encode()
        self._sizes[index] = int((self._session.execute(sized, [oid]).fetchone() or (0,))[0])
        return str(name)

    def _call(self, function: str) -> None:
        self._session.execute(f"SELECT {self._schema}.{function}".encode())


class Built:
    """Plans with indexes that are really built, in transactions that are rolled back."""

    def __init__(self, database: Database, quoting: Quoting) -> None:
        self._database, self._quoting = database, quoting
        self._sizes: dict[Index, int] = {}

    def explain(
        self, statements: Sequence[Statement], indexes: Iterable[Index]
    ) -> tuple[Explained, ...]:
        with self.building(indexes) as (session, names):
            return tuple(explain(session, one, names, self._quoting) for one in statements)

    def size_bytes(self, index: Index) -> int | None:
        return self._sizes.get(index)

    @contextmanager
    def building(self, indexes: Iterable[Index]) -> Generator[tuple[Session, dict[str, Index]]]:
        """A session that sees the indexes, read only from here on; they go when it ends."""
        wanted = list(indexes)
        with self._database.faults("building an index"), self._database.engine().connect() as held:
            session = driver(held)
            try:
                session.execute(
                    f"SET LOCAL lock_timeout = {_LOCK_TIMEOUT_MS}; "
                    f"SET LOCAL statement_timeout = {_BUILD_TIMEOUT_MS}".encode()
                )
                names: dict[str, Index] = {}
                for number, index in enumerate(wanted):
                    name = f"etl_what_if_{number}"
                    made = _if_it_can_exist(
                        session, lambda index=index, name=name: self._create(session, index, name)
                    )
                    if made is not None:
                        names[made] = index
                session.execute(b"SET TRANSACTION READ ONLY")
                _limit(session)
                yield session, names
            finally:
                session.rollback()

    def _create(self, session: Session, index: Index, name: str) -> str:
        session.execute(self._quoting.create(index, name).encode())
        at = self._quoting.table(TableId(index.table.schema, name))
        sized = session.execute(b"SELECT pg_relation_size(%s::regclass)", [at]).fetchone() or (0,)
        self._sizes[index] = int(sized[0])
        return name


def driver(connection: object) -> Session:
    """Psycopg's connection below SQLAlchemy's."""
    return cast("Session", cast("Any", connection).connection.driver_connection)


def explain(
    session: Session, statement: Statement, names: dict[str, Index], quoting: Quoting
) -> Explained:
    """The plan, by the extended protocol, which takes one statement and no more."""
    text = f"EXPLAIN (FORMAT JSON) {statement.text}"
    (answer,) = session.execute(text.encode(), prepare=True).fetchone() or (None,)
    root = cast("list[dict[str, Any]]", answer)[0]["Plan"]
    accesses: list[str] = []
    used: set[Index] = set()
    for node in _scans(root):
        through = sorted(set(_indexes_of(node)))
        used.update(names[name] for name in through if name in names)
        shown = [quoting.index_name(names[n]) if n in names else n for n in through]
        table, alias = node["Relation Name"], node.get("Alias")
        accesses.append(
            f"{node['Node Type']} on {table}"
            + (f" {alias}" if alias not in (None, table) else "")
            + (f" by {' and '.join(shown)}" if shown else "")
        )
    return Explained(float(root["Total Cost"]), tuple(accesses), frozenset(used))


def _scans(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "Relation Name" in node:
        yield node
    for child in node.get("Plans", ()):
        yield from _scans(child)


def _indexes_of(node: dict[str, Any]) -> Iterable[str]:
    """Of a scan, and of the bitmap scans below it."""
    if "Index Name" in node:
        yield node["Index Name"]
    for child in node.get("Plans", ()):
        if child["Node Type"].startswith("Bitmap"):
            yield from _indexes_of(child)


def _if_it_can_exist(session: Session, create: Callable[[], str]) -> str | None:
    """What ``create`` returns; None where the database has no such index."""
    import psycopg

    session.execute(b"SAVEPOINT etl_what_if")
    try:
        return create()
    except psycopg.Error as error:
        if error.sqlstate not in _CANNOT_EXIST:
            raise
        session.execute(b"ROLLBACK TO SAVEPOINT etl_what_if")
        return None


def _limit(session: Session) -> None:
    session.execute(f"SET LOCAL statement_timeout = {round(PLANNING_TIMEOUT_S * 1000)}".encode())


def rows_written(session: Session) -> dict[TableId, int]:
    """Inserts, updates and deletes of each table since the server's counters were reset."""
    rows = session.execute(_WRITTEN.encode()).fetchall()
    return {TableId(schema, table): int(count) for schema, table, count in rows}
