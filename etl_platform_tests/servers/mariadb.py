"""A real MariaDB for tests, from Debian's package ``mariadb-server``.

``make test`` installs it where it may; without it the tests are skipped by name. The package's own
service is neither needed nor touched: the server here has its own port and folder.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from etl_platform_tests.servers.dying_with import dying_with_us

_UNPRIVILEGED = "mysql"
_START_TIMEOUT_S = 60
SETTINGS = (
    "--bind-address=127.0.0.1",
    "--innodb-buffer-pool-size=64M",
    "--innodb-log-file-size=32M",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=0",
    "--character-set-server=utf8mb4",
    "--local-infile=1",
    "--general-log=1",
)


@dataclass(frozen=True)
class MariaDbServer:
    """A running server; the superuser is ``root`` and needs no password on loopback."""

    port: int
    folder: Path
    pid: int

    def url(self, database: str = "") -> str:
        """The URL of a database, without driver and password."""
        return f"mysql://root@127.0.0.1:{self.port}/{database}"

    def execute(self, *statements: str, database: str | None = None) -> None:
        """Run statements one after the other, each committed."""
        import pymysql

        with pymysql.connect(
            host="127.0.0.1",
            port=self.port,
            user="root",
            database=database,
            charset="utf8mb4",
            autocommit=True,
        ) as session:
            for statement in statements:
                session.cursor().execute(statement)

    @property
    def statements(self) -> str:
        """The server's log, which holds every statement that it was sent."""
        return (self.folder / "general.log").read_text(encoding="utf-8", errors="replace")


@dataclass(frozen=True)
class MariaDbDatabase:
    """One database of the server."""

    server: MariaDbServer
    name: str

    @property
    def url(self) -> str:
        return self.server.url(self.name)

    def execute(self, *statements: str) -> None:
        """Run statements one after the other, each committed."""
        self.server.execute(*statements, database=self.name)


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariaDbServer]:
    """One MariaDB for the whole session (one per pytest-xdist worker)."""
    if _programs() is None:
        pytest.skip("MariaDB is not installed: apt-get install mariadb-server")
    folder = Path(tempfile.mkdtemp(prefix="etl-mariadb-"))
    try:
        with serve(folder, SETTINGS) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def mariadb(mariadb_server: MariaDbServer) -> Iterator[MariaDbDatabase]:
    """An empty database of its own for one test, dropped afterwards."""
    name = f"test_{uuid4().hex[:12]}"
    mariadb_server.execute(f"CREATE DATABASE {name}")
    yield MariaDbDatabase(mariadb_server, name)
    mariadb_server.execute(f"DROP DATABASE {name}")


def _programs() -> tuple[str, str] | None:
    install = shutil.which("mariadb-install-db")
    serve = shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin:/usr/local/sbin")
    return (install, serve) if install and serve else None


@contextmanager
def serve(folder: Path, settings: Sequence[str]) -> Generator[MariaDbServer]:
    """A server on a folder, which it makes its own; data that are there already are kept.

    Raises:
        RuntimeError: MariaDB is not installed, or does not start.
    """
    programs = _programs()
    if programs is None:
        raise RuntimeError("MariaDB is not installed: apt-get install mariadb-server")
    install, program = programs
    owner: str | None = None
    # Of its own: a server that starts removes what others have left in theirs.
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    if os.geteuid() == 0:
        user = pwd.getpwnam(_UNPRIVILEGED)
        os.chown(folder, user.pw_uid, user.pw_gid)
        os.chown(temporary, user.pw_uid, user.pw_gid)
        owner = _UNPRIVILEGED
    if not (folder / "data").exists():
        _install(install, owner, folder / "data")
    port = _free_port()
    paths = {
        "datadir": folder / "data",
        "tmpdir": temporary,
        "socket": folder / "socket",
        "pid-file": folder / "pid",
        "log-error": folder / "error.log",
        "general-log-file": folder / "general.log",
    }
    process = subprocess.Popen(
        [*dying_with_us(), program, "--no-defaults", f"--port={port}", *settings,
         *(f"--{name}={path}" for name, path in paths.items())],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/",
        user=owner, group=owner, extra_groups=[] if owner else None,
    )  # fmt: skip
    server = MariaDbServer(port, folder, process.pid)
    try:
        _wait_until_ready(server, process)
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=_START_TIMEOUT_S)


def _install(program: str, owner: str | None, data: Path) -> None:
    made = subprocess.run(
        [program, "--no-defaults", *([f"--user={owner}"] if owner else []),
         f"--datadir={data}", "--skip-test-db",
         "--auth-root-authentication-method=normal"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if made.returncode != 0:
        raise RuntimeError(f"{program} failed: {made.stdout}{made.stderr}")


def _wait_until_ready(server: MariaDbServer, process: subprocess.Popen[bytes]) -> None:
    import pymysql

    while True:
        try:
            server.execute("SELECT 1")
        except pymysql.err.OperationalError:
            if process.poll() is not None:
                log = (server.folder / "error.log").read_text()
                raise RuntimeError(f"MariaDB did not start:\n{log}") from None
        else:
            return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
