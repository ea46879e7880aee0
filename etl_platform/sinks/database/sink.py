"""A database that tables of the lake are loaded into."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from etl_platform.core.errors import UnknownName
from etl_platform.sinks.database.dialects import target_dialect
from etl_platform.sinks.database.errors import TargetUnavailable
from etl_platform.sinks.database.ledger import Entry, Ledger
from etl_platform.sinks.database.load import Target
from etl_platform.sinks.database.loading import run
from etl_platform.sinks.database.reconcile import Reconciliation, Scope, reconcile
from etl_platform.sinks.database.reverting import revert

if TYPE_CHECKING:
    from etl_platform.sinks.database.dialects.base import TargetDialect
    from etl_platform.sinks.database.load import Load
    from etl_platform.sinks.database.receipt import LoadReceipt
    from etl_platform.sinks.database.rows import Rows
    from etl_platform.sinks.database.session import Session
    from etl_platform.sources.database import Database


@dataclass(frozen=True)
class DatabaseSink:
    """A database that is written to. Making one neither connects nor resolves a secret.

    Every method raises ``TargetUnavailable`` when the connection is refused or lost, and
    ``PermanentError`` when the database refuses a statement. Its loads use connections of their
    own, one each; the database's pool only serves :meth:`reconcile`.
    """

    database: Database

    @cached_property
    def dialect(self) -> TargetDialect:
        """The kind of database.

        Raises:
            ConfigError: no such kind, or what the reference holds is no URL.
            SecretError: the reference does not resolve.
        """
        return target_dialect(self.database.url.drivername)

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
            raise UnknownName("table", str(target), (), where=self.database.redacted)
        try:
            return reconcile(self.database, table, rows, scope or Scope())
        finally:
            self.database.close()

    def newest(self, target: Target) -> LoadReceipt | None:
        """The receipt of the last load that was not reverted; None before the first."""
        ledger = Ledger(target)
        with self._session(f"asking for loads of {target}") as session:
            self.dialect.take_turn(session, ledger)
            with session.transaction():
                ledger.create(session)
            with session.transaction():
                found = ledger.newest(session)
        return found.receipt if found is not None else None

    def loads(self, target: Target, limit: int = 20) -> list[Entry]:
        """The last loads of a table, newest first, with those that were reverted.

        Nothing is made in the database: without a ledger there were none.
        """
        ledger = Ledger(target)
        at = Target(ledger.table.name, target.schema)
        with self._session(f"asking for loads of {target}") as session, session.transaction():
            if self.dialect.describe(session, at) is None:
                return []
            return ledger.recent(session, limit)

    @contextmanager
    def _session(self, doing: str) -> Generator[Session]:
        database = self.database
        with database.faults(doing, self.dialect, TargetUnavailable):
            session = self.dialect.connect(database.fresh_url(), database.pool.connect_timeout_s)
            try:
                yield session
            finally:
                session.close()
