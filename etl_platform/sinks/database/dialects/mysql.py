"""MariaDB 10.6 and MySQL 8.0, and newer, through PyMySQL.

A statement that creates, alters, drops or renames a table ends the transaction here. So what is
needed is made before it, and loads of one target take turns by a lock of the server (GET_LOCK).
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from etl_platform.core.errors import PermanentError
from etl_platform.sinks.database.columns import TargetTable, declared_type
from etl_platform.sinks.database.dialects import mysql_rename, mysql_statistics, mysql_types
from etl_platform.sinks.database.dialects.base import Refusal, Rename, TargetDialect, is_nested
from etl_platform.sinks.database.dialects.mysql_session import MySqlSession, open_connection
from etl_platform.sinks.database.errors import TargetUnavailable
from etl_platform.sources.database.dialects.base import Fault

if TYPE_CHECKING:
    import pyarrow as pa
    import sqlalchemy as sa
    from sqlalchemy import URL
    from sqlalchemy.types import TypeEngine

    from etl_platform.sinks.database.columns import TargetColumn
    from etl_platform.sinks.database.ledger import Ledger
    from etl_platform.sinks.database.load import Load, Target
    from etl_platform.sinks.database.modes import Work
    from etl_platform.sinks.database.session import Session

_TURN_TIMEOUT_S = 3_600
_KEY_CHARACTERS = 255
_MAX_KEY_BYTES = 3_072
_FOUND_ROWS = 2  # a flag of the protocol: an update counts the rows that it matched
# Zero is a value, a value that does not fit is an error, and an instant is UTC.
_SETTINGS = (
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION,"
    "NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO', time_zone = '+00:00', "
    "default_storage_engine = InnoDB"
)
# Keys and versions are compared as the lake does: by every character, also a space at the end.
# Each server reads its own comment and skips the other's.
_EXACT_TEXT = (
    "CHARACTER SET utf8mb4 /*M! COLLATE utf8mb4_nopad_bin */ /*!80017 COLLATE utf8mb4_0900_bin */"
)
_FIXES = {
    1044: "grant CREATE, INSERT, UPDATE, DELETE, SELECT, ALTER and DROP on the database",
    1046: "name the database in the URL, or the table's schema",
    1071: "use fewer or shorter key columns: together at most 3,072 bytes",
    1118: "load fewer columns, or create the table yourself with narrower ones",
    1142: "grant CREATE, INSERT, UPDATE, DELETE, SELECT, ALTER and DROP on the database",
}
_TRANSIENT = frozenset({1020, 1114, 1205, 1213, 2068})
_COLUMNS = """
SELECT column_name, column_type, collation_name, is_nullable,
       column_default IS NOT NULL OR extra LIKE '%auto_increment%'
FROM information_schema.columns
WHERE table_schema = coalesce(:schema, DATABASE()) AND table_name = :name
  AND coalesce(generation_expression, '') = ''
ORDER BY ordinal_position
"""
_ENGINE = """
SELECT engine FROM information_schema.tables
WHERE table_schema = coalesce(:schema, DATABASE()) AND table_name = :name
"""
_UNIQUE = """
SELECT index_name, column_name FROM information_schema.statistics s
WHERE table_schema = coalesce(:schema, DATABASE()) AND table_name = :name AND non_unique = 0
  AND NOT EXISTS (SELECT 1 FROM information_schema.statistics p
                  WHERE p.table_schema = s.table_schema AND p.table_name = s.table_name
                    AND p.index_name = s.index_name
                    AND (p.sub_part IS NOT NULL OR p.column_name IS NULL))
"""


class MySqlTarget(TargetDialect):
    """Text is LONGTEXT or, in a key, VARCHAR(255); instants are DATETIME(6) in UTC, because
    TIMESTAMP ends in 2038; lists, structs and maps are JSON text."""

    name = "mysql"
    transactional_ddl = False

    @property
    def driver_errors(self) -> tuple[type[Exception], ...]:
        import pymysql

        return (pymysql.err.MySQLError,)

    def connect(self, url: URL, connect_timeout_s: int) -> Session:
        from sqlalchemy.dialects.mysql import pymysql

        dialect = pymysql.dialect()
        arguments = dict(dialect.create_connect_args(url)[1])
        arguments["client_flag"] = int(arguments.get("client_flag", 0)) | _FOUND_ROWS
        arguments |= {"charset": "utf8mb4", "connect_timeout": connect_timeout_s}
        arguments.pop("local_infile", None)
        connection = open_connection(**arguments)
        session = MySqlSession(connection, dialect)
        session.run(_SETTINGS)
        return session

    def judge(self, error: BaseException) -> Fault:
        from etl_platform.sources.database.dialects import dialect_of

        known = dialect_of("mysql").judge(error)
        code = error.args[0] if error.args else None
        lost = known.transient and known.fix is not None
        fix = known.fix if lost or code in (1045, 1049) else _FIXES.get(code or 0)
        return Fault(transient=known.transient or code in _TRANSIENT, fix=fix)

    def new_type(self, lake: pa.DataType, *, in_key: bool) -> TypeEngine[Any]:
        import pyarrow as pa
        import sqlalchemy as sa
        from pyarrow import types as t

        if t.is_decimal(lake):
            return sa.Numeric(lake.precision, lake.scale)
        if t.is_timestamp(lake):
            return declared_type("DATETIME(6)")
        if t.is_binary(lake):
            return declared_type(f"VARBINARY({_KEY_CHARACTERS})" if in_key else "LONGBLOB")
        kinds: dict[pa.DataType, str] = {
            pa.bool_(): "BOOLEAN",
            pa.int8(): "TINYINT",
            pa.int16(): "SMALLINT",
            pa.int32(): "INT",
            pa.int64(): "BIGINT",
            pa.float32(): "FLOAT",
            pa.float64(): "DOUBLE",
            pa.date32(): "DATE",
        }
        text = f"VARCHAR({_KEY_CHARACTERS})" if in_key else "LONGTEXT"
        return declared_type(kinds.get(lake) or f"{text} {_EXACT_TEXT}")

    def describe(self, session: Session, target: Target) -> TargetTable | None:
        import sqlalchemy as sa

        def asked(sql: str) -> list[tuple[Any, ...]]:
            return session.rows(sa.text(sql).bindparams(schema=target.schema, name=target.name))

        found = asked(_COLUMNS)
        if not found:
            return None
        engine = asked(_ENGINE)[0][0]
        if engine not in ("InnoDB", None):
            raise PermanentError(
                f"{target} is kept by {engine}, which has no transactions: a load that fails could "
                "not be undone",
                fix="ALTER TABLE ... ENGINE = InnoDB",
            )
        columns = tuple(
            mysql_types.target_column(
                name, _text(kind), collation, nullable=nullable == "YES", default=bool(default)
            )
            for name, kind, collation, nullable, default in found
        )
        unique: dict[str, set[str]] = {}
        for index, column in asked(_UNIQUE):
            unique.setdefault(index, set()).add(column)
        return TargetTable(target, columns, tuple(frozenset(s) for s in unique.values()))

    def encode(self, sql: str, lake: pa.DataType, column: TargetColumn) -> str:
        """As everywhere; bytes as hexadecimal digits, instants without their zone, floats as
        doubles: the server reads a float's digits as those of a double first."""
        from pyarrow import types as t

        if column.wire is None:
            return f"CAST({sql} AS VARCHAR)"
        if t.is_binary(column.wire) and (t.is_binary(lake) or t.is_string(lake)):
            return mysql_types.encode_bytes(sql, lake)
        encoded = super().encode(sql, lake, column)
        return f"CAST({encoded} AS DOUBLE)" if t.is_float32(column.wire) else encoded

    def decode(self, sql: str, lake: pa.DataType, column: TargetColumn) -> str | None:
        from pyarrow import types as t

        wire = column.wire
        if wire is not None and t.is_binary(wire) and (t.is_binary(lake) or t.is_string(lake)):
            return None
        if column.wire is None and (t.is_decimal(lake) or t.is_integer(lake)):
            return None
        return super().decode(sql, lake, column)

    def refusals(self, sql: str, lake: pa.DataType, column: TargetColumn) -> list[Refusal]:
        return [] if is_nested(lake) else mysql_types.refusals(sql, lake, column)

    def differs(
        self, column: sa.ColumnElement[Any], value: sa.ColumnElement[Any]
    ) -> sa.ColumnElement[bool]:
        import sqlalchemy as sa

        if " COLLATE " not in str(getattr(column.type, "text", "")):
            return super().differs(column, value)
        # A collation may take "a" for "A".
        both = (sa.func.hex(side) for side in (column, value))
        return next(both).is_distinct_from(next(both))

    def upsert(self, work: Work) -> int:
        """By the declared key alone: ON DUPLICATE KEY would also take a row of another key for the
        same when they share the value of another unique index, and overwrite it."""
        import sqlalchemy as sa

        names = [c.name for c in work.columns if c.name not in work.load.key]
        if names:
            values = {work.target.c[name]: work.stage.c[name] for name in names}
            updated = work.session.execute(
                sa.update(work.target).values(values).where(work.same_key())
            )
        else:
            known = sa.select(sa.func.count()).select_from(work.stage).where(work.in_target())
            updated = int(work.session.scalar(known))
        added = work.insert(work.staged_rows().where(~work.in_target()))
        if added + updated != work.rows:
            raise PermanentError(
                f"{work.load.target}: {work.rows:,} rows met {updated:,} rows and {added:,} were "
                f"added: the table's collation takes different keys for the same",
                fix="give the key columns a binary collation such as utf8mb4_bin",
            )
        return added

    def take_turn(self, session: Session, ledger: Ledger) -> None:
        import sqlalchemy as sa

        target = ledger.target
        schema = target.schema or str(session.scalar(sa.text("SELECT DATABASE()")))
        name = "etl:" + sha256(f"{schema}\n{target.name}".encode()).hexdigest()[:48]
        asked = sa.text("SELECT GET_LOCK(:name, :timeout)")
        if session.scalar(asked.bindparams(name=name, timeout=_TURN_TIMEOUT_S)) != 1:
            raise TargetUnavailable(
                f"{target}: another load has been running for {_TURN_TIMEOUT_S} seconds"
            )
        mysql_rename.complete(session, ledger)
        mysql_statistics.correct(session, target)

    def rename(self, session: Session, load: Load, ledger: Ledger) -> Rename | None:
        return mysql_rename.prepare(session, load, ledger)

    def create_stage(self, session: Session, stage: sa.Table, key: tuple[str, ...]) -> None:
        """With the key's index at once: to add one later would end the transaction."""
        preparer = session.dialect.identifier_preparer
        columns = [f"{preparer.format_column(c)} {_column_type(c)}" for c in stage.columns]
        if key:
            parts = (_key_part(stage.c[name], len(key)) for name in key)
            shown = zip((preparer.format_column(stage.c[n]) for n in key), parts, strict=True)
            columns.append(f"KEY etl_key ({', '.join(a + b for a, b in shown)})")
        session.run(f"CREATE TEMPORARY TABLE {preparer.format_table(stage)} ({', '.join(columns)})")

    def drop_stage(self, session: Session, stage: sa.Table) -> None:
        # Without the word it would end the transaction.
        name = session.dialect.identifier_preparer.format_table(stage)
        session.run(f"DROP TEMPORARY TABLE {name}")

    def settle(self, session: Session, table: sa.Table, key: tuple[str, ...]) -> None:
        """Index a before-image, outside of any transaction; a stage has its index already."""
        import sqlalchemy as sa

        if table.info.get("temporary") or not key:
            return
        found = session.scalar(
            sa.text(
                "SELECT count(*) FROM information_schema.statistics WHERE table_name = :name AND "
                "table_schema = coalesce(:schema, DATABASE()) AND index_name = 'etl_key'"
            ).bindparams(name=str(table.name), schema=table.schema)
        )
        if found:
            return
        preparer = session.dialect.identifier_preparer
        parts = (
            preparer.format_column(table.c[name]) + _key_part(table.c[name], len(key))
            for name in key
        )
        session.run(
            f"ALTER TABLE {preparer.format_table(table)} ADD KEY etl_key ({', '.join(parts)})"
        )


def _column_type(column: sa.Column[Any]) -> str:
    return str(getattr(column.type, "text", ""))


def _key_part(column: sa.Column[Any], columns: int) -> str:
    """The beginning of a long text, as much as an index can hold."""
    declared = mysql_types.parse(_column_type(column))
    whole = declared.kind in ("char", "varchar", "binary", "varbinary")
    if not whole and not declared.kind.endswith(("text", "blob")) and declared.kind != "json":
        return ""
    most = _MAX_KEY_BYTES // columns // 4
    if whole and declared.sizes[0] <= most:
        return ""
    return f"({min(most, _KEY_CHARACTERS)})"


def _text(value: object) -> str:
    """MySQL 8 gives types of its catalog as bytes."""
    return value.decode() if isinstance(value, bytes) else str(value)
