"""SQLite files, written by Python's driver with many rows per call.

A file has one writer at a time: a second load waits for the first, up to the connect timeout.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from etl_platform.core.errors import ConfigError
from etl_platform.sinks.database.columns import TargetColumn, TargetTable
from etl_platform.sinks.database.dialects.base import Refusal, TargetDialect, is_nested
from etl_platform.sinks.database.session import Session
from etl_platform.sources.database.dialects.base import Fault

if TYPE_CHECKING:
    import pyarrow as pa
    import sqlalchemy as sa
    from sqlalchemy import URL
    from sqlalchemy.types import TypeEngine

    from etl_platform.sinks.database.load import Target
    from etl_platform.sinks.database.modes import Work

_EXACT_DIGITS = 15
"""Decimal digits that a REAL keeps: SQLite has no decimals."""
_CHUNK_ROWS = 8_192


class SqliteSession(Session):
    """A connection to a file; temporary tables live beside it."""

    @property
    def driver_errors(self) -> tuple[type[Exception], ...]:
        import sqlite3

        return (sqlite3.Error,)

    # The writer's lock is taken at once: a transaction that has read could not be upgraded.
    begin = "BEGIN IMMEDIATE"

    def fill(self, table: sa.Table, reader: pa.RecordBatchReader) -> None:
        import sqlalchemy as sa

        values = {table.c[n]: sa.bindparam(f"p{i}") for i, n in enumerate(reader.schema.names)}
        text, _ = self.compiled(sa.insert(table).values(values))
        for batch in reader:
            for start in range(0, batch.num_rows, _CHUNK_ROWS):
                chunk = batch.slice(start, _CHUNK_ROWS)
                columns = [column.to_pylist() for column in chunk.columns]
                self.connection.executemany(text, zip(*columns, strict=True))


class SqliteTarget(TargetDialect):
    """Dates and timestamps are ISO 8601 text, decimals beyond 15 digits and nested values text."""

    name = "sqlite"

    @property
    def driver_errors(self) -> tuple[type[Exception], ...]:
        import sqlite3

        return (sqlite3.Error,)

    def connect(self, url: URL, connect_timeout_s: int) -> Session:
        import sqlite3

        from sqlalchemy.dialects import sqlite

        if not url.database or url.database == ":memory:":
            raise ConfigError("a SQLite target is a file", valid="sqlite:////absolute/path.db")
        path = Path(url.database).absolute()
        if not path.parent.is_dir():
            raise ConfigError(f"there is no folder {path.parent}", fix="correct the path")
        connection = sqlite3.connect(path, timeout=connect_timeout_s, isolation_level=None)
        return SqliteSession(connection, sqlite.dialect(paramstyle="qmark"))

    def judge(self, error: BaseException) -> Fault:
        from etl_platform.sources.database.dialects import dialect_of

        return dialect_of("sqlite").judge(error)

    def new_type(self, lake: pa.DataType, *, in_key: bool) -> TypeEngine[Any]:
        import pyarrow as pa
        import sqlalchemy as sa
        from pyarrow import types as t

        from etl_platform.sinks.database.columns import declared_type

        if t.is_decimal(lake):
            exact = lake.precision <= _EXACT_DIGITS
            return sa.Numeric(lake.precision, lake.scale) if exact else sa.Text()
        if t.is_timestamp(lake):
            return declared_type("TIMESTAMP WITH TIME ZONE" if lake.tz else "TIMESTAMP")
        if t.is_integer(lake):
            return declared_type("BIGINT" if in_key or lake == pa.int64() else "INTEGER")
        if t.is_floating(lake):
            return sa.REAL() if lake == pa.float32() else sa.Double()
        if t.is_boolean(lake):
            return sa.Boolean()
        if t.is_date(lake):
            return sa.Date()
        return sa.LargeBinary() if t.is_binary(lake) else sa.Text()

    def describe(self, session: Session, target: Target) -> TargetTable | None:
        import sqlalchemy as sa

        self._check_schema(target)
        found = session.rows(
            sa.text(
                'SELECT name, type, "notnull", dflt_value IS NOT NULL, pk FROM '
                "pragma_table_xinfo(:table) WHERE hidden IN (0, 1) ORDER BY cid"
            ).bindparams(table=target.name)
        )
        if not found:
            return None
        key = [name for name, _, _, _, pk in sorted(found, key=lambda row: row[4]) if pk]
        columns = [
            self._column(
                name, declared, notnull=bool(notnull) or name in key, default=bool(default)
            )
            for name, declared, notnull, default, _ in found
        ]
        unique = session.rows(
            sa.text(
                "SELECT l.name, i.name FROM pragma_index_list(:table) l, pragma_index_info(l.name) "
                'i WHERE l."unique" = 1 AND l.partial = 0'
            ).bindparams(table=target.name)
        )
        sets: dict[str, set[str]] = {"": set(key)} if key else {}
        for index, column in unique:
            sets.setdefault(index, set()).add(column)
        return TargetTable(target, tuple(columns), tuple(frozenset(s) for s in sets.values()))

    def upsert(self, work: Work) -> int:
        import sqlalchemy as sa
        from sqlalchemy.dialects.sqlite import insert

        key, names = work.load.key, [column.name for column in work.columns]
        self.settle(work.session, work.stage, key)
        known = sa.select(sa.func.count()).select_from(work.stage).where(work.in_target())
        updated = int(work.session.scalar(known))
        # Without a WHERE SQLite takes ON for a join's.
        source = work.staged_rows().where(sa.text("1"))
        statement = insert(work.target).from_select(names, source)
        elements = [work.target.c[name] for name in key]
        rest = {work.target.c[n]: statement.excluded[n] for n in names if n not in key}
        if rest:
            statement = statement.on_conflict_do_update(index_elements=elements, set_=rest)
        else:
            statement = statement.on_conflict_do_nothing(index_elements=elements)
        work.session.execute(statement)
        return work.rows - updated

    def encode(self, sql: str, lake: pa.DataType, column: TargetColumn) -> str:
        """As everywhere; without a declared type the text of what SQLite cannot hold."""
        from pyarrow import types as t

        if column.wire is None and (t.is_decimal(lake) or t.is_temporal(lake)):
            return f"CAST({sql} AS VARCHAR)"
        if column.wire is None and is_nested(lake):
            return f"CAST(to_json({sql}) AS VARCHAR)"
        return super().encode(sql, lake, column)

    def settle(self, session: Session, table: sa.Table, key: tuple[str, ...]) -> None:
        import sqlalchemy as sa
        from sqlalchemy.schema import CreateIndex

        # SQLite knows nested loops only: without an index each row would scan the table.
        if key:
            index = sa.Index(f"{table.name}_key", *(table.c[name] for name in key))
            session.execute(CreateIndex(index, if_not_exists=True))

    def refusals(self, sql: str, lake: pa.DataType, column: TargetColumn) -> list[Refusal]:
        from pyarrow import types as t

        if t.is_floating(lake):
            return [("NaN, which SQLite stores as NULL", f"isnan({sql})")]
        if t.is_temporal(lake):
            return [
                (
                    "outside of the years 1 to 9999, which sort wrongly as text",
                    f"year({sql}) NOT BETWEEN 1 AND 9999",
                )
            ]
        if is_nested(lake) or not t.is_string(lake):
            return []
        return [("a character NUL, which ends a text in SQLite", f"contains({sql}, chr(0))")]

    def _check_schema(self, target: Target) -> None:
        if target.schema not in (None, "main"):
            raise ConfigError(f"SQLite has no schema {target.schema!r}", valid="main, or none")

    def _column(self, name: str, declared: str, *, notnull: bool, default: bool) -> TargetColumn:
        import pyarrow as pa
        import sqlalchemy as sa
        from pyarrow import types as t

        from etl_platform.sources.database import arrow_text
        from etl_platform.sources.database.dialects import dialect_of
        from etl_platform.sources.database.type_mapping import arrow_text_of

        kind = dialect_of("sqlite").column_type(sa.types.NullType(), declared)
        text = arrow_text_of(kind)[0] if kind is not None else None
        wire = arrow_text.from_text(text) if text is not None else None
        if wire is not None and (t.is_decimal(wire) or t.is_floating(wire)):
            wire = pa.float64()
        elif wire is not None and t.is_temporal(wire):
            wire = pa.string()
        elif wire is None:
            # No declared type, or one without affinity: text is the form that loses nothing.
            wire = pa.string() if kind is not None else None
        return TargetColumn(name, declared or "BLOB", wire, not notnull, default)
