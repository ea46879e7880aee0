"""Brings the metastore's tables to the version that this code was written for.

Alembic is imported only when there is something to do: the usual case is one SELECT.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from etl_platform.core.errors import PermanentError
from etl_platform.metastore.engine import sqlite_path

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection, Engine

HEAD = "0010"
"""The newest revision in ``migrations/versions``; a test compares."""

_ADVISORY_LOCK = 0x65746C5F6D657461
"""PostgreSQL advisory lock that migrations of this database take: the bytes of ``etl_meta``."""


def current_revision(engine: Engine) -> str | None:
    """The revision of the database, None when it has none of the metastore's tables."""
    from sqlalchemy import inspect, text

    with engine.connect() as con:
        if not inspect(con).has_table("alembic_version"):
            return None
        return con.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def ensure_current(engine: Engine) -> None:
    """Create or migrate the tables when needed; processes that do so at once wait for each other.

    Raises:
        PermanentError: when the database was migrated by a newer release.
    """
    if current_revision(engine) == HEAD:
        return
    upgrade(engine)


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Migrate up in one transaction."""
    from alembic import command

    with _exclusive(engine) as con:
        _refuse_newer(con)
        command.upgrade(_config(con), revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Migrate down in one transaction; ``"base"`` removes every table with its rows."""
    from alembic import command

    with _exclusive(engine) as con:
        command.downgrade(_config(con), revision)


@contextmanager
def _exclusive(engine: Engine) -> Generator[Connection]:
    path = sqlite_path(engine.url)
    if path is None:
        with engine.begin() as con:
            if engine.dialect.name == "postgresql":
                con.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
            yield con
        return
    from filelock import FileLock

    with FileLock(path.with_name(path.name + ".lock")), engine.connect() as con:
        # Turning the journal fails at once when somebody else does it too, and it is kept in the
        # file: so here, behind the lock, and outside of the transaction that follows.
        dbapi = con.connection.dbapi_connection
        assert dbapi is not None
        dbapi.cursor().execute("PRAGMA journal_mode = WAL")
        with con.execution_options(sqlite_begin="IMMEDIATE").begin():
            yield con


def _refuse_newer(con: Connection) -> None:
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    found = MigrationContext.configure(con).get_current_revision()
    known = {r.revision for r in ScriptDirectory.from_config(_config(con)).walk_revisions()}
    if found is not None and found not in known:
        raise PermanentError(
            f"the metastore has revision {found!r}, which this release does not know",
            valid=f"up to {HEAD!r}",
            fix="update etl_platform to the release that migrated it, or use another metastore",
        )


def _config(con: Connection) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "etl_platform.metastore:migrations")
    config.attributes["connection"] = con
    return config
