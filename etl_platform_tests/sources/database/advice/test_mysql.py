"""Index advice for MariaDB: asked of temporary copies, right about the tables."""

from __future__ import annotations

from collections.abc import Iterator

import pymysql
import pytest
from sqlalchemy.exc import ProgrammingError

from etl_platform.sources.database import Database
from etl_platform.sources.database.advice import advise
from etl_platform_tests.servers.mariadb import MariaDbDatabase, MariaDbServer
from etl_platform_tests.sources.database.advice import shop

pytestmark = pytest.mark.mariadb
_QUERY = "SELECT * FROM orders WHERE customer_id = 17"


@pytest.fixture(scope="module")
def filled(mariadb_server: MariaDbServer) -> Iterator[MariaDbDatabase]:
    """The shop in a database of this module."""
    mariadb_server.execute("CREATE DATABASE advice_shop")
    found = MariaDbDatabase(mariadb_server, "advice_shop")
    found.execute(*shop.TABLES)
    with _session(found) as session, session.cursor() as cursor:
        for table, rows in shop.rows():
            marks = ", ".join(["%s"] * len(rows[0]))
            cursor.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
            cursor.execute(f"ANALYZE TABLE {table}")
        session.commit()
    yield found
    mariadb_server.execute("DROP DATABASE advice_shop")


@pytest.fixture
def source(filled: MariaDbDatabase) -> Iterator[Database]:
    database = Database("shop", filled.url)
    yield database
    database.close()


def test_every_suggestion_is_used_once_it_is_really_created(
    filled: MariaDbDatabase, source: Database
) -> None:
    queries = list(shop.HELPED)[::2]  # each takes copies of tables: the other databases see all
    for query in queries:
        tables = shop.HELPED[query]
        found = advise(source, [query], build=True).suggestions
        assert {one.table for one in found} == {f"advice_shop.{t}" for t in tables}, query
        names = [one.create.split()[2] for one in found]
        filled.execute(*(one.create for one in found))
        filled.execute(*(f"ANALYZE TABLE {one.table}" for one in found))
        assert set(names) <= _keys(filled, query), query
        filled.execute(*(_dropped(one.create) for one in found))


def test_queries_that_no_index_helps_get_none(source: Database) -> None:
    advice = advise(source, shop.NOT_HELPED, build=True)
    assert advice.suggestions == ()
    assert advice.needs is None


def test_without_permission_to_copy_nothing_is_suggested_and_what_is_missing_is_said(
    filled: MariaDbDatabase, source: Database
) -> None:
    seen = len(filled.server.statements)
    advice = advise(source, [_QUERY])
    assert advice.suggestions == ()
    assert advice.needs is not None
    assert "CREATE TEMPORARY TABLES" in advice.needs
    assert "advice_shop.orders (" in advice.needs
    assert "TEMPORARY" not in filled.server.statements[seen:]


def test_only_temporary_copies_are_changed_and_none_is_left(
    filled: MariaDbDatabase, source: Database
) -> None:
    def tables() -> object:
        with _session(filled) as session, session.cursor() as cursor:
            cursor.execute("SHOW INDEX FROM orders")
            indexes = [row[:5] for row in cursor.fetchall()]
            cursor.execute("SHOW TABLES")
            return indexes, cursor.fetchall()

    before, seen = tables(), len(filled.server.statements)
    advise(source, [_QUERY], build=True)
    assert tables() == before
    changing = ("CREATE ", "ALTER ", "INSERT ", "DROP ", "UPDATE ", "DELETE ")
    sent = [line.split("\t")[-1].removeprefix("Query").strip()
            for line in filled.server.statements[seen:].splitlines()]  # fmt: skip
    changes = [text for text in sent if text.startswith(changing)]
    assert changes
    assert all("advice_shop.etl_copy_" in text.partition(" SELECT ")[0] for text in changes)
    (copy,) = {text.split()[3] for text in changes if text.startswith("CREATE ")}
    with source.session() as one, source.session() as other:  # as many as advice had
        for session in (one, other):
            with pytest.raises(ProgrammingError, match="doesn't exist"):
                session.exec_driver_sql(f"SELECT 1 FROM {copy}")


def test_a_name_of_a_with_is_not_taken_for_the_table(source: Database) -> None:
    query = (
        "WITH orders AS (SELECT o.* FROM orders AS o WHERE o.customer_id = 3), "
        "other AS (SELECT * FROM orders) SELECT * FROM other"
    )
    advice = advise(source, [query], build=True)
    assert [one.table for one in advice.suggestions] == ["advice_shop.orders"]


def test_hostile_names_are_quoted(mariadb: MariaDbDatabase) -> None:
    mariadb.execute(
        "CREATE TABLE `or``der; DROP TABLE x --` (`a %s b``` int, filler varchar(60), "
        "twice int AS (`a %s b``` * 2))",
        "INSERT INTO `or``der; DROP TABLE x --` (`a %s b```, filler) "
        "SELECT seq, repeat('x', 50) FROM seq_1_to_5000",
    )
    query = "SELECT filler FROM `or``der; DROP TABLE x --` WHERE `a %s b``` = 3"
    database = Database("shop", mariadb.url)
    (one,) = advise(database, [query], build=True).suggestions
    database.close()
    mariadb.execute(one.create)
    assert _keys(mariadb, query) == {"or`der; DROP TABLE x --_a %s b`_idx"}


def _dropped(create: str) -> str:
    _, _, name, _, table, *_ = create.split()
    return f"DROP INDEX {name} ON {table}"


def _keys(database: MariaDbDatabase, query: str) -> set[str]:
    with _session(database) as session, session.cursor() as cursor:
        cursor.execute(f"EXPLAIN {query}")
        return {str(row[5]) for row in cursor.fetchall()}


def _session(database: MariaDbDatabase) -> pymysql.connections.Connection[pymysql.cursors.Cursor]:
    return pymysql.connect(
        host="127.0.0.1", port=database.server.port, user="root", database=database.name
    )
