"""Servers that a test may harm: sessions ended, the program killed and started again."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psutil
import pytest

from etl_platform_tests.servers import mariadb, postgres

KINDS = [
    pytest.param("postgresql", marks=pytest.mark.postgres),
    pytest.param("mysql", marks=pytest.mark.mariadb),
]
_DATABASE = "faults"
_DIE_TIMEOUT_S = 60
# Unlike the other tests' servers these keep what they have committed when they are killed.
_MARIADB_SETTINGS = (
    "--bind-address=127.0.0.1",
    "--innodb-buffer-pool-size=64M",
    "--innodb-flush-log-at-trx-commit=2",
    "--character-set-server=utf8mb4",
    "--local-infile=1",
)


class Victim(Protocol):
    """A server with a database of its own."""

    kind: str
    port: int
    pid: int

    @property
    def url(self) -> str: ...

    def query(self, sql: str) -> list[tuple[Any, ...]]: ...

    def sessions(self, statement: str = "%", lasting_s: float = 0) -> list[int]:
        """Sessions that are not this one's, and run a statement LIKE this for so long."""
        ...

    def end(self, sessions: list[int]) -> int:
        """End sessions; how many there still were."""
        ...


@dataclass
class PostgresVictim:
    port: int
    pid: int
    kind: str = "postgresql"

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{_DATABASE}"

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        import psycopg

        with psycopg.connect(self.url, autocommit=True) as session:
            return session.execute(sql.encode()).fetchall()

    def sessions(self, statement: str = "%", lasting_s: float = 0) -> list[int]:
        busy = "" if statement == "%" else "AND state = 'active'"
        found = self.query(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
            f"AND pid <> pg_backend_pid() AND query LIKE '{statement}' {busy} "
            f"AND extract(epoch FROM clock_timestamp() - query_start) >= {lasting_s}"
        )
        return [row[0] for row in found]

    def end(self, sessions: list[int]) -> int:
        return sum(self.query(f"SELECT pg_terminate_backend({one})")[0][0] for one in sessions)


@dataclass
class MariaDbVictim:
    port: int
    pid: int
    kind: str = "mysql"

    @property
    def url(self) -> str:
        return f"mysql://root@127.0.0.1:{self.port}/{_DATABASE}"

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with self._connected() as session, session.cursor() as cursor:
            cursor.execute(sql)
            session.commit()
            return list(cursor.fetchall())

    def sessions(self, statement: str = "%", lasting_s: float = 0) -> list[int]:
        running = "" if statement == "%" else f"AND info LIKE '{statement}'"
        found = self.query(
            f"SELECT id FROM information_schema.processlist WHERE db = database() {running} "
            f"AND id <> connection_id() AND time_ms >= {1_000 * lasting_s}"
        )
        return [row[0] for row in found]

    def end(self, sessions: list[int]) -> int:
        import pymysql

        ended = 0
        for one in sessions:
            try:
                with self._connected() as session:
                    session.cursor().execute("KILL %s", (one,))
                ended += 1
            except pymysql.err.OperationalError as error:
                gone = 1094
                if error.args[0] != gone:
                    raise
        return ended

    def _connected(self) -> Any:
        import pymysql

        return pymysql.connect(
            host="127.0.0.1", port=self.port, user="root", database=_DATABASE, charset="utf8mb4"
        )


@contextmanager
def serving(kind: str) -> Generator[Victim]:
    """A server that is gone afterwards, whichever process it is then."""
    if kind == "mysql" and shutil.which("mariadb-install-db") is None:
        pytest.skip("MariaDB is not installed: apt-get install mariadb-server")
    found: Victim
    # Servers run without privileges, so that they could not reach pytest's folders.
    with tempfile.TemporaryDirectory(prefix="etl-faults-", ignore_cleanup_errors=True) as folder:
        if kind == "postgresql":
            with postgres.serving(Path(folder)) as server:
                with server.connect() as session:
                    session.execute(f"CREATE DATABASE {_DATABASE}".encode())
                    session.execute(
                        f"ALTER DATABASE {_DATABASE} SET synchronous_commit = on".encode()
                    )
                found = PostgresVictim(server.port, server.pid)
                with _ended(found):
                    yield found
        else:
            with mariadb.serve(Path(folder), _MARIADB_SETTINGS) as server:
                server.execute(f"CREATE DATABASE {_DATABASE}")
                found = MariaDbVictim(server.port, server.pid)
                with _ended(found):
                    yield found


def kill_and_start(server: Victim) -> None:
    """Kill a server as a crash would, and start the same program on the same data and port."""
    leader = psutil.Process(server.pid)
    command, folder, user = leader.cmdline(), leader.cwd(), leader.uids().real
    group = leader.gids().real
    _kill(leader)
    started = subprocess.Popen(
        command,
        cwd=folder,
        user=user,
        group=group,
        extra_groups=[] if user else None,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    server.pid = started.pid


@contextmanager
def _ended(server: Victim) -> Generator[None]:
    first = server.pid
    try:
        yield
    finally:
        if server.pid != first:
            _kill(psutil.Process(server.pid))


def _kill(leader: psutil.Process) -> None:
    leader.suspend()  # or it may have another child that nobody kills, and that keeps its memory
    family = [leader, *leader.children(recursive=True)]
    for process in family:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    _, alive = psutil.wait_procs(family, timeout=_DIE_TIMEOUT_S)
    assert not alive, f"these do not die: {alive}"
