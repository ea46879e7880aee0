"""Connections to the metastore's database, set up so that many processes can share it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etl_platform.core.errors import ConfigError, TransientError

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

_BUSY_TIMEOUT_S = 30
_CONNECT_TIMEOUT_S = 10


def parse_url(url: str) -> URL:
    """Read a SQLAlchemy URL or a secret reference to one; PostgreSQL is spoken with psycopg.

    Raises:
        ConfigError: when it is no URL, or of another database than SQLite and PostgreSQL.
        SecretError: when the reference does not resolve.
    """
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(_resolved(url))
    except ArgumentError:
        # The text may hold a password, so it is not repeated.
        raise ConfigError(
            "the metastore's URL is not a database URL",
            valid="sqlite:///path/to/file.db, postgresql://user@host/database, or a reference "
            "like env://NAME",
            fix="set ETL_METASTORE_URL",
        ) from None
    if parsed.drivername in ("postgres", "postgresql"):
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise ConfigError(
            f"the metastore cannot live in {parsed.get_backend_name()!r}",
            valid="sqlite or postgresql",
            fix="set ETL_METASTORE_URL",
        )
    return parsed


def sqlite_path(url: URL) -> Path | None:
    """The file of a SQLite URL; None for memory and other databases."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(url.database)


def create(url: URL) -> Engine:
    """Make the engine; connects to nothing yet."""
    from sqlalchemy import create_engine

    if url.get_backend_name() == "sqlite":
        return _sqlite(url)
    return create_engine(
        url,
        pool_pre_ping=True,
        pool_size=2,
        connect_args={"connect_timeout": _CONNECT_TIMEOUT_S, "application_name": "etl_platform"},
    )


def _sqlite(url: URL) -> Engine:
    from sqlalchemy import create_engine, event

    engine = create_engine(url, connect_args={"timeout": _BUSY_TIMEOUT_S})

    def prepare(connection: Any, _: object) -> None:
        # The driver would begin transactions by its own rules, and never for DDL: a migration that
        # is killed half-way must leave nothing behind.
        connection.isolation_level = None
        connection.execute("PRAGMA synchronous = NORMAL")

    def begin(connection: Connection) -> None:
        kind = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {kind}")

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", begin)
    return engine


def follow(made: Engine, read: Callable[[], URL]) -> None:
    """Read the URL again for every new connection: a rotated password needs no restart.

    Connections that are open stay as they are, and serve until they are lost.
    """
    from sqlalchemy import event

    def renew(dialect: Any, _: object, args: list[object], parameters: dict[str, object]) -> None:
        positional, named = dialect.create_connect_args(read())
        args[:] = positional
        parameters.update(named)

    event.listen(made, "do_connect", renew)


@contextmanager
def reachable(url: URL) -> Generator[None]:
    """Turn a lost connection or a lock that nobody released into a transient error."""
    from sqlalchemy.exc import OperationalError

    try:
        yield
    except OperationalError as error:
        raise TransientError(
            f"the metastore {url.render_as_string(hide_password=True)} did not answer: "
            f"{_without_password(str(error.orig), url)}",
            fix="check that the database runs and that ETL_METASTORE_URL points to it",
        ) from None


def _without_password(text: str, url: URL) -> str:
    return text.replace(url.password, "***") if url.password else text


def _resolved(url: str) -> str:
    from etl_platform.core.secrets import is_reference, resolve

    return resolve(url) if is_reference(url) else url
