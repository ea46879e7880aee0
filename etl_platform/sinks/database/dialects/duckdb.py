"""DuckDB files: rows go in as Arrow, by the process that has the file open.

A file belongs to one process at a time, and within it loads take turns: a second one waits for the
first, up to the connect timeout.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etl_platform.core.duck import quote
from etl_platform.core.errors import ConfigError
from etl_platform.core.settings import get_settings
from etl_platform.core.types import duckdb_type
from etl_platform.sinks.database.columns import TargetColumn, TargetTable, declared_type
from etl_platform.sinks.database.dialects.base import TargetDialect
from etl_platform.sinks.database.errors import TargetUnavailable
from etl_platform.sinks.database.session import Session
from etl_platform.sources.database.dialects.base import Fault

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    import sqlalchemy as sa
    from sqlalchemy import URL
    from sqlalchemy.types import TypeEngine

    from etl_platform.sinks.database.load import Target
    from etl_platform.sinks.database.modes import Work

_TURNS: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
_POLL_S = 0.05
_LOCKED = ("Could not set lock", "being used by another process")
_CLOSE = "close the program that has the file open, or raise the connect timeout, and load again"
_ROWS = "etl_rows_to_load"
_COLUMNS = """
SELECT column_name, data_type, is_nullable = 'YES', column_default IS NOT NULL
FROM information_schema.columns
WHERE table_catalog = current_database() AND table_schema = :schema AND table_name = :name
  AND is_generated IS DISTINCT FROM 'ALWAYS'
ORDER BY ordinal_position
"""
_UNIQUE = """
SELECT constraint_column_names FROM duckdb_constraints()
WHERE database_name = current_database() AND schema_name = :schema AND table_name = :name
  AND constraint_type IN ('PRIMARY KEY', 'UNIQUE')
"""


class DuckDbSession(Session):
    """A connection and its turn with the file."""

    begin = "BEGIN TRANSACTION"

    def __init__(self, connection: Any, dialect: Any, turn: threading.Lock) -> None:
        super().__init__(connection, dialect)
        self._turn = turn

    @property
    def driver_errors(self) -> tuple[type[Exception], ...]:
        import duckdb

        return (duckdb.Error,)

    def execute(self, statement: sa.Executable) -> int:
        text, values = self.compiled(statement)
        found = self.connection.execute(text, values).fetchall()
        return int(found[0][0]) if found and isinstance(found[0][0], int) else 0

    def fill(self, table: sa.Table, reader: pa.RecordBatchReader) -> None:
        names = ", ".join(quote(name) for name in reader.schema.names)
        goal = self.dialect.identifier_preparer.format_table(table)
        self.connection.register(_ROWS, reader)
        try:
            self.run(f"INSERT INTO {goal} ({names}) SELECT {names} FROM {_ROWS}")
        finally:
            self.connection.unregister(_ROWS)

    def run(self, sql: str) -> None:
        self.connection.execute(sql).fetchall()

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._turn.release()

    def _run(self, statement: sa.Executable) -> Any:
        text, values = self.compiled(statement)
        return _Result(self.connection.execute(text, values).fetchall())


class _Result:
    """A result that is read whole at once: one left half read keeps a session busy."""

    def __init__(self, found: list[tuple[Any, ...]]) -> None:
        self._found = found

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self._found

    def close(self) -> None:
        return


class DuckDbTarget(TargetDialect):
    """Every lake type is a type of DuckDB's."""

    name = "duckdb"

    @property
    def driver_errors(self) -> tuple[type[Exception], ...]:
        import duckdb

        return (duckdb.Error,)

    def connect(self, url: URL, connect_timeout_s: int) -> Session:
        from sqlalchemy.dialects.postgresql.base import PGDialect

        if not url.database or url.database == ":memory:":
            raise ConfigError("a DuckDB target is a file", valid="duckdb:////absolute/path.duckdb")
        path = Path(url.database).resolve()
        if not path.parent.is_dir():
            raise ConfigError(f"there is no folder {path.parent}", fix="correct the path")
        turn = _TURNS[str(path)]
        until = time.monotonic() + connect_timeout_s
        if not turn.acquire(timeout=connect_timeout_s):
            raise TargetUnavailable(
                f"{path} is being loaded by this process for longer than {connect_timeout_s} s",
                fix="load one table at a time, or raise the connect timeout",
            )
        try:
            connection = _open(path, until)
            _bound(connection)
        except BaseException:
            turn.release()
            raise
        return DuckDbSession(connection, PGDialect(paramstyle="qmark"), turn)

    def judge(self, error: BaseException) -> Fault:
        import duckdb

        text = str(error)
        if any(sign in text for sign in _LOCKED) or "different configuration" in text:
            return Fault(transient=True, fix=_CLOSE)
        if isinstance(error, duckdb.TransactionException):
            return Fault(transient=True, fix=None)
        fix = (
            "correct the path, or its permissions"
            if isinstance(error, duckdb.IOException)
            else None
        )
        return Fault(transient=False, fix=fix)

    def new_type(self, lake: pa.DataType, *, in_key: bool) -> TypeEngine[Any]:
        del in_key
        return declared_type(duckdb_type(lake))

    def describe(self, session: Session, target: Target) -> TargetTable | None:
        import sqlalchemy as sa

        names = {"schema": target.schema or "main", "name": target.name}
        found = session.rows(sa.text(_COLUMNS).bindparams(**names))
        if not found:
            return None
        columns = tuple(
            TargetColumn(name, declared, None, bool(nullable), bool(default))
            for name, declared, nullable, default in found
        )
        unique = session.rows(sa.text(_UNIQUE).bindparams(**names))
        return TargetTable(target, columns, tuple(frozenset(row[0]) for row in unique))

    def upsert(self, work: Work) -> int:
        import sqlalchemy as sa
        from sqlalchemy.dialects.postgresql import insert

        key, names = work.load.key, [column.name for column in work.columns]
        known = sa.select(sa.func.count()).select_from(work.stage).where(work.in_target())
        updated = int(work.session.scalar(known))
        statement = insert(work.target).from_select(names, work.staged_rows())
        elements = [work.target.c[name] for name in key]
        rest = {work.target.c[n]: statement.excluded[n] for n in names if n not in key}
        if rest:
            statement = statement.on_conflict_do_update(index_elements=elements, set_=rest)
        else:
            statement = statement.on_conflict_do_nothing(index_elements=elements)
        work.session.execute(statement)
        return work.rows - updated

    def encode(self, sql: str, lake: pa.DataType, column: TargetColumn) -> str:
        """As it is: the insert casts, by the rules of which :meth:`decode` shows the result."""
        del lake, column
        return sql

    def decode(self, sql: str, lake: pa.DataType, column: TargetColumn) -> str | None:
        kept = duckdb_type(lake)
        if kept == column.declared:
            return None
        return f"TRY_CAST(TRY_CAST({sql} AS {column.declared}) AS {kept})"


def _open(path: Path, until: float) -> duckdb.DuckDBPyConnection:
    """Open the file, waiting while another process has it."""
    import duckdb

    while True:
        try:
            return duckdb.connect(str(path))
        except duckdb.IOException as error:
            if not any(sign in str(error) for sign in _LOCKED) or time.monotonic() > until:
                raise
            time.sleep(_POLL_S)


def _bound(connection: duckdb.DuckDBPyConnection) -> None:
    """The platform's limits, set afterwards: connections of one process have to agree on others."""
    settings = get_settings()
    connection.execute(f"SET threads = {settings.threads}")
    connection.execute(f"SET memory_limit = '{settings.memory_limit}B'")
    connection.execute("SET autoinstall_known_extensions = false")
    connection.execute("SET TimeZone = 'UTC'")
