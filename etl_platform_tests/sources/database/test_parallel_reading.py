# ruff: noqa: E501 - SQL reads best unbroken
"""Several connections read one table as one would have: every row of one moment, once."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from etl_platform.core.errors import ConfigError, PermanentError, SourceUnavailable
from etl_platform.sources.database import (
    Cursor,
    Database,
    Extraction,
    PoolSettings,
    capabilities,
    extract,
)
from etl_platform.sources.database.dialects.postgresql import PostgresDialect
from etl_platform.sources.database.page_ranges import most_connections, page_ranges
from etl_platform.sources.database.statements import plan_read
from etl_platform_tests.servers.postgres import PostgresDatabase
from etl_platform_tests.sources.database.test_postgresql import table_of

pytestmark = pytest.mark.postgres
ACCOUNTS, BALANCE = 4_000, 1_000


@pytest.fixture
def database(postgres: PostgresDatabase) -> Iterator[Database]:
    found = Database("shop", postgres.url)
    yield found
    found.close()


@contextmanager
def transfers(postgres: PostgresDatabase) -> Iterator[None]:
    """A writer that moves money, and closes an account whenever it opens one."""
    postgres.execute(
        "CREATE TABLE account (id bigserial PRIMARY KEY, balance int NOT NULL, fill text)",
        f"INSERT INTO account (balance, fill) SELECT {BALANCE}, repeat('x', 500) FROM generate_series(1, {ACCOUNTS})",
    )
    stop, failed = threading.Event(), []

    def write() -> None:
        choose = random.Random(7)
        known = list(range(1, ACCOUNTS + 1))
        with psycopg.connect(postgres.url) as session:
            while not stop.is_set():
                place, to = choose.sample(range(ACCOUNTS), 2)
                with session.transaction():
                    # An update writes the row anew, as a rule on the last page.
                    for account, change in ((known[place], -7), (known[to], 7)):
                        session.execute(
                            "UPDATE account SET balance = balance + %s WHERE id = %s",
                            (change, account),
                        )
                    if choose.random() < 0.2:
                        moved = session.execute(
                            "WITH closed AS (DELETE FROM account WHERE id = %s RETURNING balance, fill) INSERT INTO account (balance, fill) SELECT * FROM closed RETURNING id",
                            [known[place]],
                        ).fetchone()
                        assert moved is not None
                        known[place] = moved[0]

    def guarded() -> None:
        try:
            write()
        except psycopg.Error as error:
            failed.append(error)

    writer = threading.Thread(target=guarded)
    writer.start()
    try:
        yield
    finally:
        stop.set()
        writer.join()
    assert not failed


def totals(database: Database) -> tuple[int, int, int]:
    """Rows, sum of balances and distinct accounts of one parallel extraction."""
    what = Extraction(table=table_of(database, "account"), parallel=4)
    read = extract(database, what, 500, engine="copy").read_all()
    balances = read["balance"].to_pylist()
    return read.num_rows, sum(balances), len(set(read["id"].to_pylist()))


def test_parallel_extractions_under_a_busy_writer_are_each_one_moment(postgres, database):
    with transfers(postgres):
        seen = {totals(database) for _ in range(12)}
    assert seen == {(ACCOUNTS, ACCOUNTS * BALANCE, ACCOUNTS)}


def test_without_the_shared_snapshot_the_same_extractions_are_torn(postgres, database, monkeypatch):
    """So the test before this one would notice."""

    def own_snapshot(self: PostgresDialect, connection: Any, pool: PoolSettings, _: str) -> Any:
        return self.start(connection, pool)

    monkeypatch.setattr(PostgresDialect, "start_on", own_snapshot)
    with transfers(postgres):
        whole = (ACCOUNTS, ACCOUNTS * BALANCE, ACCOUNTS)
        assert any(totals(database) != whole for _ in range(60))


@pytest.mark.parametrize("name", ["plain", 'a"b %s (x); --'])
def test_every_row_is_read_once_whatever_the_number_of_connections(postgres, database, name):
    quoted = '"' + name.replace('"', '""') + '"'
    postgres.execute(
        f"CREATE TABLE {quoted} (id int, v text)",
        f"INSERT INTO {quoted} SELECT g, repeat('v', g % 300) FROM generate_series(1, 30000) g",
        f"DELETE FROM {quoted} WHERE id % 7 = 0 OR id > 29000",
    )
    table = table_of(database, name)
    one = extract(database, Extraction(table=table, parallel=1), engine="copy").read_all()
    for connections in (2, 3, 7):
        what = Extraction(table=table, parallel=connections)
        many = extract(database, what, 1_000, engine="copy").read_all()
        assert many.sort_by("id").equals(one.sort_by("id").combine_chunks())


def ranges_of(database: Database, name: str, **more: Any) -> list[str]:
    what = Extraction(table=table_of(database, name), **more)
    with database.session() as leader:
        plan = plan_read(leader, database.dialect, what)
        found = page_ranges(leader, what, plan, most_connections(database, what))
    return [str(one) for one in found]


def test_only_tables_whose_rows_keep_their_address_are_shared_out(postgres, database):
    postgres.execute(
        "CREATE TABLE plain (id int PRIMARY KEY, v text)",
        "INSERT INTO plain SELECT g, repeat('v', 100) FROM generate_series(1, 5000) g",
        "CREATE VIEW seen AS SELECT * FROM plain",
        "CREATE MATERIALIZED VIEW kept AS SELECT * FROM plain",
        "CREATE TABLE parent (id int) PARTITION BY RANGE (id)",
        "CREATE TABLE part PARTITION OF parent FOR VALUES FROM (0) TO (10000)",
        "INSERT INTO parent SELECT g FROM generate_series(1, 5000) g",
        "CREATE TABLE base (id int)",
        "CREATE TABLE derived (more int) INHERITS (base)",
        "INSERT INTO base SELECT g FROM generate_series(1, 5000) g",
        "INSERT INTO derived SELECT g, g FROM generate_series(1, 5000) g",
        "CREATE TABLE small (id int)",
    )
    assert ranges_of(database, "plain", parallel=2)[0].startswith("pages 0 to ")
    assert ranges_of(database, "plain", parallel=2)[-1].endswith("to the last")
    assert len(ranges_of(database, "plain", parallel=2)) == 8
    assert len(ranges_of(database, "kept", parallel=2)) == 8
    for name in ("seen", "parent", "base", "small"):
        assert ranges_of(database, name, parallel=2) == []
    assert ranges_of(database, "plain") == []  # too small to be worth it unless it is asked for
    assert ranges_of(database, "plain", parallel=1) == []
    newer = {"cursor": Cursor("id", key=("id",)), "after": "10"}
    assert ranges_of(database, "plain", parallel=2, **newer) == []
    base = Extraction(table=table_of(database, "base"), parallel=4)
    assert extract(database, base, engine="copy").read_all().num_rows == 10_000


def test_a_table_that_hides_rows_from_this_user_is_read_with_one_connection(postgres, database):
    postgres.execute(
        "CREATE TABLE mine (id int, v text)",
        "INSERT INTO mine SELECT g, repeat('v', 100) FROM generate_series(1, 5000) g",
        "ALTER TABLE mine ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY even ON mine USING (id % 2 = 0)",
        f"CREATE ROLE reader_{postgres.name} LOGIN",
        f"GRANT SELECT ON mine TO reader_{postgres.name}",
    )
    limited = Database("shop", postgres.server.url(postgres.name, f"reader_{postgres.name}"))
    try:
        assert ranges_of(limited, "mine", parallel=4) == []
        assert len(ranges_of(database, "mine", parallel=4)) == 16
        what = Extraction(table=table_of(limited, "mine"), parallel=4)
        assert extract(limited, what, engine="copy").read_all().num_rows == 2_500
    finally:
        limited.close()
        postgres.execute("DROP TABLE mine", f"DROP ROLE reader_{postgres.name}")


def long_table(postgres: PostgresDatabase, database: Database) -> Extraction:
    postgres.execute(
        "CREATE TABLE long AS SELECT g AS id, 1.5::numeric(5,2) AS v, repeat('x', 200) AS fill FROM generate_series(1, 200000) g"
    )
    return Extraction(table=table_of(database, "long"), parallel=3)


def idle(database: Database) -> bool:
    return "Current Checked out connections: 0" in database.engine().pool.status()


def test_an_error_of_one_connection_stops_all_and_names_the_pages(postgres, database):
    what = long_table(postgres, database)
    postgres.execute("UPDATE long SET v = 'NaN' WHERE id = 199999")
    with pytest.raises(
        PermanentError, match=r"long, pages \d+ to the last: .*row \d+: the value 'NaN'"
    ):
        extract(database, what, 1_000, engine="copy").read_all()
    assert idle(database)


def test_a_backend_that_is_ended_makes_the_whole_read_worth_a_retry(postgres, database):
    what = long_table(postgres, database)
    reader = extract(database, what, 1_000, engine="copy")
    reader.read_next_batch()
    with postgres.connect() as session:
        (busy,) = session.execute(
            "SELECT array_agg(pid) FROM pg_stat_activity WHERE application_name = 'etl'"
        ).fetchone() or ([],)
        assert len(busy) == 3
        session.execute("SELECT pg_terminate_backend(%s)", [busy[-1]])
    with pytest.raises(SourceUnavailable):
        reader.read_all()
    assert idle(database)
    assert extract(database, what, engine="copy").read_all().num_rows == 200_000
    assert idle(database)


def test_closing_early_stops_every_connection(postgres, database):
    threads = threading.active_count()
    reader = extract(database, long_table(postgres, database), 1_000, engine="copy")
    reader.read_next_batch()
    del reader
    assert idle(database)
    assert threading.active_count() == threads


def test_a_pool_that_is_used_up_leaves_the_work_to_fewer_connections(postgres):
    one = PoolSettings(size=2, overflow=0, connect_timeout_s=1)
    database = Database("shop", postgres.url, pool=one)
    what = long_table(postgres, database)
    assert most_connections(database, what) == 2
    with database.session():
        assert extract(database, what, engine="copy").read_all().num_rows == 200_000
    database.close()


def test_how_many_connections_a_read_holds_is_told_beforehand(postgres, database):
    what = long_table(postgres, database)
    told = {one.name: (one.parallel, one.connections) for one in capabilities(database, what)}
    assert told["copy"] == (True, 3)
    assert told["sqlalchemy"] == (False, 1)
    with pytest.raises(ConfigError, match="parallel: 0 connections"):
        Extraction(table=what.table, parallel=0)
