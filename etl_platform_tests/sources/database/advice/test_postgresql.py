"""Index advice for PostgreSQL: what is suggested is used once it is there, and nothing stays."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import pytest

from etl_platform.core.errors import EtlError, PermanentError
from etl_platform.sources.database import Database
from etl_platform.sources.database.advice import advise, postgresql
from etl_platform_tests.servers.postgres import PostgresDatabase, PostgresServer, serving
from etl_platform_tests.sources.database.advice import shop

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def filled(postgres_server: PostgresServer) -> Iterator[PostgresDatabase]:
    """The shop in a database of this module."""
    with postgres_server.connect() as session:
        session.execute("CREATE DATABASE advice_shop")
    found = PostgresDatabase(postgres_server, "advice_shop")
    _fill(found)
    yield found
    with postgres_server.connect() as session:
        session.execute("DROP DATABASE advice_shop WITH (FORCE)")


@pytest.fixture
def source(filled: PostgresDatabase) -> Iterator[Database]:
    database = Database("shop", filled.url)
    yield database
    database.close()


def test_every_suggestion_is_used_and_cheaper_once_it_is_really_created(
    filled: PostgresDatabase, source: Database
) -> None:
    for query, tables in shop.HELPED.items():
        advice = advise(source, [query], build=True)
        assert {one.table for one in advice.suggestions} == {f"public.{t}" for t in tables}, query
        with filled.connect() as session:
            before = _plan(session, query)
            names = [_create(session, one.create) for one in advice.suggestions]
            after = _plan(session, query)
            for name in names:
                session.execute(f"DROP INDEX {name}".encode())
        assert set(names) <= set(_indexes(after)), query
        assert after["Total Cost"] * 1.25 < before["Total Cost"]
        assert after["Total Cost"] == pytest.approx(advice.statements[0].cost_after, rel=0.02)


@pytest.mark.parametrize("query", shop.NOT_HELPED)
def test_queries_that_no_index_helps_get_none(source: Database, query: str) -> None:
    advice = advise(source, [query], build=True)
    assert advice.suggestions == ()
    assert advice.needs is None


def test_an_index_that_serves_two_queries_is_suggested_once(source: Database) -> None:
    advice = advise(
        source,
        ["SELECT * FROM orders WHERE customer_id = 17; SELECT * FROM orders WHERE customer_id = 4"],
        build=True,
    )
    (one,) = advice.suggestions
    assert [gain.statement for gain in one.gains] == [1, 2]
    assert one.gains[0].accesses_before == ("Seq Scan on orders",)
    assert (
        one.create
        == "CREATE INDEX CONCURRENTLY orders_customer_id_idx ON public.orders (customer_id);"
    )
    assert one.size_bytes is not None
    assert one.size_bytes > 0


def test_an_index_carries_what_a_query_reads_besides_but_never_all_of_a_wide_table(
    filled: PostgresDatabase, source: Database
) -> None:
    with filled.connect() as session:
        visible = "SELECT bool_and(relallvisible = relpages) FROM pg_class WHERE relname = 'orders'"
        assert session.execute(visible.encode()).fetchone() == (True,)
    query = "SELECT {} FROM orders WHERE customer_id IN (3, 4, 5, 6)"
    (some,) = advise(source, [query.format("total, status")], build=True).suggestions
    assert "(customer_id) INCLUDE (total, status)" in some.create
    (whole,) = advise(source, [query.format("*")], build=True).suggestions
    assert "INCLUDE" not in whole.create


def test_an_expression_on_a_column_gets_an_index_on_the_expression(source: Database) -> None:
    advice = advise(source, ["SELECT id FROM customers WHERE lower(email) = 'u7@x'"], build=True)
    (one,) = advice.suggestions
    assert "((LOWER(email)))" in one.create


def test_advice_leaves_nothing_behind(filled: PostgresDatabase, source: Database) -> None:
    count = b"SELECT (SELECT count(*) FROM pg_class), (SELECT count(*) FROM pg_locks)"
    with filled.connect() as session:
        before = session.execute(count).fetchone()
        advise(source, [*shop.HELPED][:2], build=True)
        source.close()
        assert session.execute(count).fetchone() == before


@pytest.mark.stress
def test_with_hypopg_suggestions_are_verified_without_permission_to_build(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Debian's PostgreSQL with its package of hypopg: the other servers here lack it."""
    binaries = next(Path("/usr/lib/postgresql").glob("*/lib/hypopg.so"), None)
    if binaries is None:
        pytest.skip("hypopg is not installed: apt-get install postgresql-15 postgresql-15-hypopg")
    monkeypatch.setattr(
        "etl_platform_tests.servers.postgres._binaries", lambda *_: binaries.parent.parent / "bin"
    )
    with TemporaryDirectory(prefix="etl-postgres-") as folder, serving(Path(folder)) as server:
        found = PostgresDatabase(server, "postgres")
        _fill(found)
        found.execute("CREATE SCHEMA elsewhere", "CREATE EXTENSION hypopg SCHEMA elsewhere")
        database = Database("shop", found.url)
        for query, tables in shop.HELPED.items():
            advice = advise(database, [query])
            assert {one.table for one in advice.suggestions} == {f"public.{t}" for t in tables}
            with found.connect() as session:
                names = [_create(session, one.create) for one in advice.suggestions]
                assert set(names) <= set(_indexes(_plan(session, query))), query
                for name in names:
                    session.execute(f"DROP INDEX {name}".encode())
        for query in shop.NOT_HELPED:
            assert advise(database, [query]).suggestions == ()
        database.close()


def test_without_hypopg_and_permission_to_build_nothing_is_suggested_and_what_is_missing_is_said(
    filled: PostgresDatabase, source: Database
) -> None:
    seen = len(filled.server.statements)
    advice = advise(source, ["SELECT * FROM orders WHERE customer_id = 17"])
    assert advice.suggestions == ()
    assert advice.needs is not None
    assert "CREATE EXTENSION hypopg" in advice.needs
    assert "public.orders (" in advice.needs
    assert "CREATE INDEX" not in filled.server.statements[seen:]


def test_a_user_who_does_not_own_the_table_is_told_so(filled: PostgresDatabase) -> None:
    filled.execute(
        "CREATE ROLE advice_reader LOGIN", "GRANT SELECT ON ALL TABLES IN SCHEMA public "
        "TO advice_reader",
    )  # fmt: skip
    database = Database("shop", filled.server.url(filled.name, "advice_reader"))
    with pytest.raises(PermanentError, match="owner"):
        advise(database, ["SELECT * FROM orders WHERE customer_id = 17"], build=True)
    database.close()
    filled.execute("DROP OWNED BY advice_reader", "DROP ROLE advice_reader")


def test_partitioned_tables_and_views_get_none(postgres: PostgresDatabase) -> None:
    postgres.execute(
        "CREATE TABLE parts (a int, b int) PARTITION BY RANGE (a)",
        "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10000)",
        "INSERT INTO parts SELECT n, n FROM generate_series(1, 5000) n",
        "CREATE VIEW seen AS SELECT * FROM parts",
        "ANALYZE parts",
    )
    database = Database("shop", postgres.url)
    for name in ("parts", "seen"):
        advice = advise(database, [f"SELECT * FROM {name} WHERE b = 3"], build=True)
        assert advice.suggestions == ()
    database.close()


def test_tables_without_statistics_are_told_of(
    postgres: PostgresDatabase,
) -> None:
    postgres.execute(
        "CREATE TABLE fresh (a int)", "INSERT INTO fresh SELECT generate_series(1, 2000)"
    )
    database = Database("shop", postgres.url)
    advice = advise(database, ["SELECT * FROM fresh WHERE a = 3"], build=True)
    database.close()
    assert any("public.fresh has no statistics" in hint for hint in advice.hints)


@pytest.mark.parametrize(
    ("schema", "table", "column"),
    [
        ("public", 'or"der', "cust omer"),
        ("Mixed Case", "select", "WHERE"),
        ("public", "drop table x; --", "a'b%s$1{}"),
        ("public", "x" * 60, "é" * 25),
    ],
)
def test_hostile_names_are_quoted(
    postgres: PostgresDatabase, schema: str, table: str, column: str
) -> None:
    def quoted(name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    at = f"{quoted(schema)}.{quoted(table)}"
    postgres.execute(
        f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}",
        f"CREATE TABLE {at} ({quoted(column)} int, filler text)",
        f"INSERT INTO {at} SELECT n, repeat('x', 50) FROM generate_series(1, 5000) n",
        f"ANALYZE {at}",
    )
    database = Database("shop", postgres.url)
    advice = advise(
        database, [f"SELECT filler FROM {at} t WHERE t.{quoted(column)} = 3"], build=True
    )
    database.close()
    (one,) = advice.suggestions
    with postgres.connect() as session:
        name = _create(session, one.create)
        plan = _plan(session, f"SELECT filler FROM {at} WHERE {quoted(column)} = 3")
    assert _indexes(plan) == [name]


def test_a_function_that_lies_about_being_immutable_cannot_write_while_it_is_planned(
    postgres: PostgresDatabase,
) -> None:
    postgres.execute(
        "CREATE SEQUENCE s",
        "CREATE FUNCTION lies() RETURNS int IMMUTABLE LANGUAGE plpgsql "
        "AS $$ BEGIN PERFORM setval('s', 99); RETURN 1; END $$",
        "CREATE TABLE t (a int)",
        "INSERT INTO t SELECT generate_series(1, 5000)",
        "ANALYZE t",
    )
    database = Database("shop", postgres.url)
    for build in (False, True):
        with pytest.raises(EtlError, match="read-only transaction"):
            advise(database, ["SELECT * FROM t WHERE a = lies()"], build=build)
    database.close()
    with postgres.connect() as session:
        assert session.execute("SELECT last_value FROM s").fetchone() == (1,)


def test_volatile_functions_are_not_run(postgres: PostgresDatabase) -> None:
    postgres.execute("CREATE SEQUENCE s", "CREATE TABLE t (a int)")
    database = Database("shop", postgres.url)
    advise(
        database,
        [
            (
                "SELECT setval('s', 50), pg_sleep(100), pg_terminate_backend(pid) "
                "FROM pg_stat_activity, lo_import('/etc/passwd'), t"
            )
        ],
    )
    database.close()
    with postgres.connect() as session:
        assert session.execute("SELECT last_value FROM s").fetchone() == (1,)
        assert session.execute("SELECT count(*) FROM pg_largeobject_metadata").fetchone() == (0,)


def test_planning_that_takes_too_long_is_stopped(
    postgres: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres.execute(
        "CREATE FUNCTION sleeps() RETURNS int IMMUTABLE LANGUAGE plpgsql "
        "AS $$ BEGIN PERFORM pg_sleep(100); RETURN 1; END $$"
    )
    monkeypatch.setattr(postgresql, "PLANNING_TIMEOUT_S", 0.1)
    database = Database("shop", postgres.url)
    with pytest.raises(EtlError, match="statement timeout"):
        advise(database, ["SELECT sleeps()"])
    database.close()


def _fill(database: PostgresDatabase) -> None:
    database.execute(*shop.TABLES)
    with database.connect() as session:
        # Rows are known to be visible to all once their commit is on disk: plans by an index alone.
        session.execute("SET synchronous_commit = on")
        for table, rows in shop.rows():
            with session.cursor().copy(f"COPY {table} FROM STDIN".encode()) as copy:
                for row in rows:
                    copy.write_row(row)
        session.execute("VACUUM ANALYZE")


def _create(session: psycopg.Connection, create: str) -> str:
    """Create what was suggested; the index's name as it stands in the statement."""
    session.execute(create.encode())
    found = session.execute(
        "SELECT relname FROM pg_class WHERE relkind = 'i' ORDER BY oid DESC LIMIT 1"
    ).fetchone()
    assert found is not None
    return str(found[0])


def _plan(session: psycopg.Connection, query: str) -> dict[str, Any]:
    found = session.execute(f"EXPLAIN (FORMAT JSON) {query}".encode()).fetchone()
    assert found is not None
    return found[0][0]["Plan"]


def _indexes(plan: dict[str, Any]) -> list[str]:
    text = json.dumps(plan)
    found: list[str] = []

    def see(node: dict[str, object]) -> dict[str, object]:
        if "Index Name" in node:
            found.append(str(node["Index Name"]))
        return node

    json.loads(text, object_hook=see)
    return found
