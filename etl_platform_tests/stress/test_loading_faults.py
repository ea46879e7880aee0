"""No row is lost or doubled whatever breaks while a table is loaded, in any mode.

Every fault strikes at a random moment of a load into a table that has rows; the same batch is then
tried again until it is done. The rows are compared one by one, and the receipt's counts.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from etl_platform.core.settings import Settings
from etl_platform.sinks.database import LoadMode
from etl_platform_tests.servers import mariadb, postgres
from etl_platform_tests.stress.loading import (
    FaultyServer,
    Trials,
    kill_and_start,
    publish,
)

FAULTS = ["connection cut", "server killed", "process killed"]
SEED = 20_240_117
# Unlike the other tests' servers these keep what they have committed when they are killed.
MARIADB_SETTINGS = (
    "--bind-address=127.0.0.1",
    "--innodb-buffer-pool-size=64M",
    "--innodb-flush-log-at-trx-commit=2",
    "--character-set-server=utf8mb4",
    "--local-infile=1",
)


@dataclass
class PostgresVictim:
    port: int
    pid: int

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/faults"

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        import psycopg

        with psycopg.connect(self.url, autocommit=True) as session:
            return session.execute(sql.encode()).fetchall()

    def cut(self) -> None:
        self.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = 'faults' AND pid <> pg_backend_pid()"
        )


@dataclass
class MariaDbVictim:
    port: int
    pid: int

    @property
    def url(self) -> str:
        return f"mysql://root@127.0.0.1:{self.port}/faults"

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with self._connected() as session, session.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def cut(self) -> None:
        import pymysql

        sessions = self.query(
            "SELECT id FROM information_schema.processlist "
            "WHERE db = 'faults' AND id <> CONNECTION_ID()"
        )
        for (number,) in sessions:
            try:
                with self._connected() as session:
                    session.cursor().execute("KILL %s", (number,))
            except pymysql.err.OperationalError as error:
                gone = 1094
                if error.args[0] != gone:
                    raise

    def _connected(self) -> Any:
        import pymysql

        return pymysql.connect(host="127.0.0.1", port=self.port, user="root", database="faults")


@contextmanager
def victim(kind: str, folder: Path) -> Generator[FaultyServer]:
    """A server with a database ``faults`` that is gone afterwards, whichever process it is then."""
    found: FaultyServer
    if kind == "postgresql":
        with postgres.serving(folder) as server:
            with server.connect() as session:
                session.execute("CREATE DATABASE faults")
                session.execute("ALTER DATABASE faults SET synchronous_commit = on")
            found = PostgresVictim(server.port, server.pid)
            with _ended(found):
                yield found
    else:
        with mariadb.serve(folder, MARIADB_SETTINGS) as server:
            server.execute("CREATE DATABASE faults")
            found = MariaDbVictim(server.port, server.pid)
            with _ended(found):
                yield found


@contextmanager
def _ended(server: FaultyServer) -> Generator[None]:
    first = server.pid
    try:
        yield
    finally:
        if server.pid != first:
            leader = psutil.Process(server.pid)
            family = [leader, *leader.children(recursive=True)]
            for process in family:
                process.kill()
            psutil.wait_procs(family)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("postgresql", marks=pytest.mark.postgres),
        pytest.param("mysql", marks=pytest.mark.mariadb),
    ],
)
def server(request: pytest.FixtureRequest) -> Iterator[FaultyServer]:
    if request.param == "mysql" and shutil.which("mariadb-install-db") is None:
        pytest.skip("MariaDB is not installed: apt-get install mariadb-server")
    # Servers run without privileges, so that they could not reach pytest's folders.
    with (
        tempfile.TemporaryDirectory(prefix="etl-faults-", ignore_cleanup_errors=True) as folder,
        victim(request.param, Path(folder)) as found,
    ):
        yield found


def trials(fault: str, server: FaultyServer, settings: Settings, seed: str) -> Trials:
    def strike(trial: Trials) -> None:
        if fault == "connection cut":
            trial.server.cut()
        else:
            kill_and_start(trial.server)

    publish(settings)
    moments = random.Random(f"{SEED} {seed}")
    return Trials(server, settings, strike, moments, in_process=fault == "process killed")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_struck_load_is_complete_after_a_retry(
    server: FaultyServer, settings: Settings, fault: str
) -> None:
    struck = trials(fault, server, settings, fault)
    modes = list(LoadMode)
    for number in range(2):
        struck.run(struck.moments.choice(modes), number)
    figures = struck.figures
    assert figures.trials == 2
    assert (figures.lost, figures.doubled, figures.untrue) == (0, 0, 0)


@pytest.mark.stress
@pytest.mark.parametrize("mode", LoadMode)
@pytest.mark.parametrize("fault", FAULTS)
def test_no_row_is_lost_or_doubled(
    server: FaultyServer, settings: Settings, fault: str, mode: LoadMode
) -> None:
    struck = trials(fault, server, settings, f"{fault} {mode}")
    for number in range(20):
        struck.run(mode, number)
    found = struck.figures
    print(
        f"\n{fault:14} {type(server).__name__:14} {mode:13} trials {found.trials} "
        f"interrupted {found.failed:2} retries {found.retries:3} rows lost {found.lost} "
        f"doubled {found.doubled} receipts untrue {found.untrue}"
    )
    assert (found.trials, found.lost, found.doubled, found.untrue) == (20, 0, 0, 0)
    assert found.failed, "no load was interrupted: the test shows nothing"
