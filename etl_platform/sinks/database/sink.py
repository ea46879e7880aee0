"""A database that tables of the lake are loaded into."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import quote

from etl_platform.core.errors import ConfigError, EtlError, PermanentError, UnknownName
from etl_platform.core.secrets import check_no_literal_secret, is_reference, redact, resolve
from etl_platform.sinks.database.dialects import target_dialect
from etl_platform.sinks.database.errors import TargetUnavailable
from etl_platform.sinks.database.ledger import Ledger
from etl_platform.sinks.database.loading import run
from etl_platform.sinks.database.reconcile import Reconciliation, Scope, reconcile
from etl_platform.sinks.database.reverting import revert
from etl_platform.sources.database import Database

if TYPE_CHECKING:
    from sqlalchemy import URL

    from etl_platform.sinks.database.dialects.base import TargetDialect
    from etl_platform.sinks.database.load import Load, Target
    from etl_platform.sinks.database.receipt import LoadReceipt
    from etl_platform.sinks.database.rows import Rows
    from etl_platform.sinks.database.session import Session


@dataclass(frozen=True)
class DatabaseSink:
    """A database that is written to. Making one neither connects nor resolves a secret.

    Every method raises ``TargetUnavailable`` when the connection is refused or lost, and
    ``PermanentError`` when the database refuses a statement.

    Args:
        name: what people call it, for messages.
        url_ref: a secret reference (``env://WAREHOUSE_URL``) or a URL without password.
        connect_timeout_s: seconds to wait for a connection, and in SQLite for the file's lock.
        resolver: reads secret references; replaced where AWS needs a client of its own.

    Raises:
        ConfigError: the URL holds a password.
    """

    name: str
    url_ref: str
    connect_timeout_s: int = 10
    resolver: Callable[[str], str] = field(default=resolve, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_no_literal_secret(self.url_ref)

    @property
    def redacted(self) -> str:
        """The reference or URL as it may be shown; resolves nothing."""
        return self.url_ref if is_reference(self.url_ref) else redact(self.url_ref)

    @cached_property
    def dialect(self) -> TargetDialect:
        """The kind of database.

        Raises:
            ConfigError: no such kind, or what the reference holds is no URL.
            SecretError: the reference does not resolve.
        """
        return target_dialect(self._url.drivername)

    def load(self, rows: Rows, load: Load) -> LoadReceipt:
        """Load rows once: all of them with their receipt, or none.

        The table and the ledger are created when they are missing. A batch that the target has had
        before gives its old receipt back, marked as skipped.

        Raises:
            SchemaMismatch, GateViolation: the target cannot hold the rows; nothing was sent.
            TargetUnavailable: a retry with the same batch neither loses nor doubles rows.
        """
        with self._session(f"loading {load.target}") as session:
            return run(session, self.dialect, rows, load)

    def revert(self, target: Target, batch: str | None = None) -> LoadReceipt:
        """Put back the rows that a load changed. See :func:`reverting.revert`."""
        with self._session(f"reverting {target}") as session:
            return revert(session, self.dialect, target, batch)

    def reconcile(self, rows: Rows, target: Target, scope: Scope | None = None) -> Reconciliation:
        """Compare the target with the lake. See :func:`reconcile.reconcile`.

        Raises:
            UnknownName: there is no such table or column.
        """
        with self._session(f"describing {target}") as session, session.transaction():
            table = self.dialect.describe(session, target)
        if table is None:
            raise UnknownName("table", str(target), (), where=self.redacted)
        database = Database(self.name, self.url_ref, resolver=self.resolver)
        try:
            return reconcile(database, table, rows, scope or Scope())
        finally:
            database.close()

    def newest(self, target: Target) -> LoadReceipt | None:
        """The receipt of the last load that was not reverted; None before the first."""
        ledger = Ledger(target)
        with self._session(f"asking for loads of {target}") as session:
            with session.transaction():
                ledger.create(session)
            with session.transaction():
                found = ledger.newest(session)
        return found.receipt if found is not None else None

    @contextmanager
    def _session(self, doing: str) -> Generator[Session]:
        """A connection whose errors are the platform's, without secrets.

        The driver's exception is not chained: its attributes may hold what must not be shown.
        """
        from sqlalchemy.exc import SQLAlchemyError

        dialect = self.dialect
        try:
            session = dialect.connect(self._url, self.connect_timeout_s)
            try:
                yield session
            finally:
                session.close()
        except EtlError:
            raise
        except (SQLAlchemyError, *dialect.driver_errors) as error:
            raise self._translated(error, doing) from None

    def _translated(self, error: Exception, doing: str) -> EtlError:
        password = str(self._url.password or "")
        text = redact(" ".join(str(error).split()), [password, quote(password, safe="")])
        what = f"database {self.name!r} ({self.redacted}), {doing}: {text}"
        if not isinstance(error, self.dialect.driver_errors):
            return PermanentError(what)
        fault = self.dialect.judge(error)
        return (TargetUnavailable if fault.transient else PermanentError)(what, fix=fault.fix)

    @cached_property
    def _url(self) -> URL:
        from sqlalchemy import make_url
        from sqlalchemy.exc import ArgumentError

        text = self.resolver(self.url_ref) if is_reference(self.url_ref) else self.url_ref
        try:
            return make_url(text.strip())
        except (ArgumentError, ValueError):
            raise ConfigError(
                f"database {self.name!r}: what {self.redacted} holds is not a database URL",
                valid="postgresql://user:password@host:5432/database or sqlite:////path/file.db",
            ) from None
