"""One connection to MariaDB or MySQL: rows stream as CSV from DuckDB into ``LOAD DATA LOCAL``.

No file is written: the server asks for one, and the rows are what it gets. A server can ask for any
file it likes, so nothing is ever opened by the name that it sends.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from etl_platform.core.duck import connect as connect_duckdb
from etl_platform.core.duck import quote
from etl_platform.core.errors import PermanentError
from etl_platform.sinks.database.session import Session

if TYPE_CHECKING:
    import pyarrow as pa
    import sqlalchemy as sa

logger = logging.getLogger(__name__)

_CHUNK_BYTES = 1 << 20
_INSERT_ROWS = 500
_CSV = (
    "FORMAT csv, HEADER false, DELIMITER ',', QUOTE '\"', ESCAPE '\"', NULLSTR 'NULL', "
    "USE_TMP_FILE false"
)
# Without an escape character a quote is doubled, a backslash is one, and only a bare NULL is NULL.
_FORMAT = (
    "CHARACTER SET utf8mb4 FIELDS TERMINATED BY ',' ENCLOSED BY '\"' ESCAPED BY '' "
    "LINES TERMINATED BY '\\n'"
)
_EXPRESSIONS = {"BINARY": "UNHEX({})", "BIT": "CAST({} AS UNSIGNED)"}
_KINDS = {"binary": "BINARY", "varbinary": "BINARY", "tinyblob": "BINARY", "blob": "BINARY",
          "mediumblob": "BINARY", "longblob": "BINARY", "bit": "BIT"}  # fmt: skip


class MySqlSession(Session):
    """A PyMySQL connection. ``warnings`` of a load are errors: see :meth:`fill`."""

    @property
    def driver_errors(self) -> tuple[type[Exception], ...]:
        import pymysql

        return (pymysql.err.MySQLError,)

    def run(self, sql: str) -> None:
        # With an argument, be it none: else the driver would not halve the doubled percent signs.
        self.connection.cursor().execute(sql, ())

    def fill(self, table: sa.Table, reader: pa.RecordBatchReader) -> None:
        """Send all rows.

        With LOCAL a server skips rows that it refuses and cuts values, with warnings: it cannot
        stop the client. So the load fails unless every row arrived without any.

        Raises:
            PermanentError: the server refused rows, as for a key that is there already.
        """
        if not int(self._scalar("SELECT @@local_infile")):
            logger.warning(
                "%s: the server does not allow LOAD DATA LOCAL (local_infile=OFF): rows are sent "
                "by multi-row INSERT, which is slower",
                table.name,
            )
            self._insert(table, reader)
            return
        names = reader.schema.names
        places = ", ".join(
            f"@v{i}" if _expression(table, name) else self._quoted(name)
            for i, name in enumerate(names)
        )
        computed = ", ".join(
            f"{self._quoted(name)} = {expression.format(f'@v{i}')}"
            for i, name in enumerate(names)
            if (expression := _expression(table, name))
        )
        statement = (
            f"LOAD DATA LOCAL INFILE 'rows' INTO TABLE {self._table(table)} {_FORMAT} ({places})"
            + (f" SET {computed}" if computed else "")
        )
        cursor = self.connection.cursor()
        with _as_csv(reader) as (stream, sent):
            self.connection.stream = stream
            try:
                cursor.execute(statement, ())
            finally:
                self.connection.stream = None
            rows = sent.result()
        if cursor.rowcount != rows or self._scalar("SELECT @@warning_count"):
            raise PermanentError(
                f"{table.name}: the server took {cursor.rowcount:,} of {rows:,} rows as they are: "
                f"{self._warnings(cursor)}",
                fix="look at the target's keys, constraints and column types",
            )

    def close(self) -> None:
        # The driver complains about a connection that was lost before.
        with suppress(*self.driver_errors):
            self.connection.close()

    def _run(self, statement: sa.Executable) -> Any:
        text, values = self.compiled(statement)
        cursor = self.connection.cursor()
        cursor.execute(text, values)
        return cursor

    def _insert(self, table: sa.Table, reader: pa.RecordBatchReader) -> None:
        names = reader.schema.names
        forms = [_expression(table, name) or "{}" for name in names]
        head = (
            f"INSERT INTO {self._table(table)} "
            f"({', '.join(self._quoted(name) for name in names)}) VALUES "
        ).replace("%%", "%")
        escape = self.connection.escape
        for batch in reader:
            for start in range(0, batch.num_rows, _INSERT_ROWS):
                columns = [c.to_pylist() for c in batch.slice(start, _INSERT_ROWS).columns]
                rows = ",".join(
                    "("
                    + ",".join(f.format(escape(v)) for f, v in zip(forms, row, strict=True))
                    + ")"
                    for row in zip(*columns, strict=True)
                )
                self.connection.cursor().execute(head + rows)

    def _table(self, table: sa.Table) -> str:
        return self.dialect.identifier_preparer.format_table(table)

    def _quoted(self, name: str) -> str:
        return self.dialect.identifier_preparer.quote_identifier(name)

    def _scalar(self, sql: str) -> Any:
        cursor = self.connection.cursor()
        cursor.execute(sql)
        return cursor.fetchone()[0]

    def _warnings(self, cursor: Any) -> str:
        cursor.execute("SHOW WARNINGS LIMIT 3")
        return "; ".join(str(row[2]) for row in cursor.fetchall())


def open_connection(**arguments: Any) -> Any:
    """A connection that gives the server ``stream`` when it asks for a file, and nothing else."""
    import pymysql
    from pymysql.connections import MySQLResult

    class Result(MySQLResult):
        def _read_load_local_packet(self, first_packet: Any) -> None:
            del first_packet
            connection: Any = self.connection
            if connection.stream is None:
                connection._force_close()  # noqa: SLF001
                raise pymysql.err.OperationalError(2068, "the server asked for a local file")
            try:
                while chunk := connection.stream.read(_CHUNK_BYTES):
                    connection.write_packet(chunk)
            except BaseException:
                # To end the file here would be to load what was sent so far.
                connection._force_close()  # noqa: SLF001
                raise
            connection.write_packet(b"")
            result: Any = self
            result._read_ok_packet(connection._read_packet())  # noqa: SLF001

    class Connection(pymysql.connections.Connection):
        stream: Any = None

        def _read_query_result(self, unbuffered: bool = False) -> int:
            del unbuffered
            self._result = None
            result: Any = Result(self)
            result.read()
            self._result = result
            if result.server_status is not None:
                self.server_status = result.server_status
            return result.affected_rows

    return Connection(local_infile=True, **arguments)


def _expression(table: sa.Table, name: str) -> str | None:
    """How a value is made of its text, where that is not the text itself."""
    declared = str(getattr(table.c[name].type, "text", ""))
    kind = _KINDS.get(declared.partition("(")[0].partition(" ")[0])
    return _EXPRESSIONS[kind] if kind else None


@contextmanager
def _as_csv(reader: pa.RecordBatchReader) -> Generator[tuple[_Csv, Future[int]]]:
    """The rows as a stream, written by a thread while it is read, and how many they were."""
    readable, writable = os.pipe()
    texts = [quote(f.name) for f in reader.schema if str(f.type) == "string"]
    forced = f", FORCE_QUOTE ({', '.join(texts)})" if texts else ""

    def write() -> int:
        try:
            with connect_duckdb() as con:
                con.register("etl_rows", reader)
                target = f"/dev/fd/{writable}"
                found = con.execute(f"COPY etl_rows TO '{target}' ({_CSV}{forced})").fetchall()
                return int(found[0][0])
        finally:
            os.close(writable)

    with ThreadPoolExecutor(1) as writer:
        sent = writer.submit(write)
        try:
            yield _Csv(readable, sent), sent
        finally:
            # A writer whose reader has gone fails instead of waiting.
            os.close(readable)


class _Csv:
    """The reading end; its end is only the rows' end if the writer says so."""

    def __init__(self, descriptor: int, sent: Future[int]) -> None:
        self._descriptor = descriptor
        self._sent = sent

    def read(self, size: int) -> bytes:
        chunk = os.read(self._descriptor, size)
        if not chunk:
            self._sent.result()
        return chunk
