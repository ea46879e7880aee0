"""One connection to a target and one transaction at a time, whatever the driver."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa
    import sqlalchemy as sa
    from sqlalchemy.engine.interfaces import Dialect as SqlDialect

Row = tuple[Any, ...]


class Session(ABC):
    """A connection. Statements are SQLAlchemy's, compiled here: names are quoted, values bound.

    Nothing is visible to others, and nothing stays, before :meth:`transaction` ends.

    Args:
        connection: of the driver (DBAPI), not in autocommit mode.
        dialect: how SQLAlchemy writes statements for this driver.
    """

    begin: str | None = None
    """What starts a transaction, where the driver does not do so by itself."""

    def __init__(self, connection: Any, dialect: SqlDialect) -> None:
        self.connection = connection
        self.dialect = dialect

    def execute(self, statement: sa.Executable) -> int:
        """Run a statement; the number of rows that it changed, 0 where that makes no sense."""
        cursor = self._run(statement)
        count = cursor.rowcount
        cursor.close()
        return max(0, count)

    def run(self, sql: str) -> None:
        """Run what SQLAlchemy has no statement for; names in it are quoted by the dialect."""
        self.connection.cursor().execute(sql)

    def rows(self, statement: sa.Executable) -> list[Row]:
        """The result of a query."""
        cursor = self._run(statement)
        found = [tuple(row) for row in cursor.fetchall()]
        cursor.close()
        return found

    def scalar(self, statement: sa.Executable) -> Any:
        """The first value of a query's first row, None without rows."""
        found = self.rows(statement)
        return found[0][0] if found else None

    @abstractmethod
    def fill(self, table: sa.Table, reader: pa.RecordBatchReader) -> None:
        """Send rows the fast way; the reader's columns are some of the table's, by name."""

    @contextmanager
    def transaction(self) -> Generator[None]:
        """Commit what happens inside, or nothing of it."""
        if self.begin is not None:
            self.connection.execute(self.begin)
        try:
            yield
            self.connection.commit()
        except BaseException:
            self._roll_back()
            raise

    def close(self) -> None:
        """Give the connection up; what was not committed is lost."""
        self.connection.close()

    def compiled(self, statement: sa.Executable) -> tuple[str, tuple[object, ...]]:
        """A statement's text and its values in the order of their places."""
        # Definitions of tables have no values at all.
        found: Any = statement.compile(dialect=self.dialect)  # pyright: ignore[reportAttributeAccessIssue] # every Executable here is a ClauseElement
        names: list[str] = getattr(found, "positiontup", None) or []
        return str(found), tuple(found.params[name] for name in names)

    def _run(self, statement: sa.Executable) -> Any:
        text, values = self.compiled(statement)
        cursor = self.connection.cursor()
        cursor.execute(text, values) if values else cursor.execute(text)
        return cursor

    def _roll_back(self) -> None:
        from contextlib import suppress

        # A lost connection cannot be rolled back, and need not be: why it was lost is the news.
        with suppress(*self.driver_errors):
            self.connection.rollback()

    @property
    @abstractmethod
    def driver_errors(self) -> tuple[type[Exception], ...]:
        """Base classes of what the driver raises."""
