"""Statements of a source end in its server when work is stopped, whichever engine began them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from etl_platform.core.stopping import stop_all
from etl_platform.sources.database import Database, Extraction, extract
from etl_platform_tests.servers.mariadb import MariaDbDatabase
from etl_platform_tests.servers.postgres import PostgresDatabase


def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def stops(url: str, query: str, engine: str, running: Callable[[], int]) -> float:
    """Read in a thread until the statement runs, stop: the seconds until the server is idle."""
    raised: list[BaseException] = []

    def read() -> None:
        database = Database("source", url)
        try:
            with extract(database, Extraction(query=query), engine=engine) as reader:
                reader.read_all()
        except BaseException as error:  # noqa: BLE001 # whatever it is: the statement must be gone
            raised.append(error)
        finally:
            database.close()

    reading = threading.Thread(target=read)
    reading.start()
    until(running)
    started = time.monotonic()
    # What is under way may be the question which columns there are: then the next is stopped.
    until(lambda: stop_all() or not running())
    seconds = time.monotonic() - started
    reading.join(30)
    assert not reading.is_alive()
    assert raised
    return seconds


@pytest.mark.postgres
@pytest.mark.parametrize("engine", ["copy", "sqlalchemy", "adbc"])
def test_a_statement_of_postgresql_is_cancelled(engine: str, postgres: PostgresDatabase) -> None:
    with postgres.connect() as session:

        def running() -> int:
            found = session.execute(
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE wait_event = 'PgSleep' AND datname = current_database()"
            ).fetchone()
            assert found is not None
            return found[0]

        query = "SELECT 1 AS one FROM pg_sleep(300)"
        print(engine, f"{stops(postgres.url, query, engine, running):.2f} s")


@pytest.mark.mariadb
@pytest.mark.parametrize("engine", ["mysql", "sqlalchemy"])
def test_a_query_of_mariadb_is_killed(engine: str, mariadb: MariaDbDatabase) -> None:
    import pymysql

    port = mariadb.server.port
    with pymysql.connect(host="127.0.0.1", port=port, user="root") as session:

        def running() -> int:
            cursor = session.cursor()
            cursor.execute(
                "SELECT count(*) FROM information_schema.processlist "
                "WHERE info LIKE '%sleep(300)%' AND info NOT LIKE '%processlist%'"
            )
            return cursor.fetchone()[0]

        query = "SELECT 1 AS one FROM DUAL WHERE sleep(300) = 0"
        print(engine, f"{stops(mariadb.url, query, engine, running):.2f} s")
