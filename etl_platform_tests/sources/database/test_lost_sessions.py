"""Sessions that the server ends: what was read until then counts, what was not is told."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from etl_platform.core.errors import SourceUnavailable
from etl_platform.sources.database import Database
from etl_platform_tests.servers.mariadb import MariaDbDatabase
from etl_platform_tests.servers.postgres import PostgresDatabase

Found = tuple[Database, str, Callable[[int], None]]


@pytest.fixture(
    params=[
        pytest.param("postgres", marks=pytest.mark.postgres),
        pytest.param("mariadb", marks=pytest.mark.mariadb),
    ]
)
def server(request: pytest.FixtureRequest) -> Found:
    """A database, how a session asks for its number, and what ends one by its number."""
    found: PostgresDatabase | MariaDbDatabase = request.getfixturevalue(request.param)
    if isinstance(found, PostgresDatabase):
        ask, end = "pg_backend_pid()", "SELECT pg_terminate_backend({}, 10000)"
    else:
        ask, end = "connection_id()", "KILL {}"
    database = Database("shop", found.url)
    return database, f"SELECT {ask}", lambda number: found.execute(end.format(number))


def test_a_session_that_is_lost_after_its_last_row_has_read_everything(server: Found) -> None:
    database, ask, end = server
    for _ in range(12):  # more often than the pool has connections
        with database.session() as session:
            end(session.execute(sa.text(ask)).scalar_one())
    with database.session() as session:
        assert session.execute(sa.text("SELECT 1")).scalar_one() == 1
    database.close()


def test_a_session_that_is_lost_before_a_statement_may_be_tried_again(server: Found) -> None:
    database, ask, end = server

    def ask_after_the_end() -> None:
        with database.session() as session:
            end(session.execute(sa.text(ask)).scalar_one())
            session.execute(sa.text("SELECT 1"))

    with pytest.raises(SourceUnavailable):
        ask_after_the_end()
    database.close()
