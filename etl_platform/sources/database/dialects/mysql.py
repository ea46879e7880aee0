"""MariaDB and MySQL through PyMySQL.

The driver would turn a negative TIME into another time, cut FLOAT to the six digits that the server
prints and hide dates that are none: such values stay the server's text, or are asked for in a form
that is exact, and Arrow parses a whole column at a time.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from etl_platform.sources.database.dialects.base import Catalog, Dialect, Fault, PoolSettings
from etl_platform.sources.database.tables import SourceColumn
from etl_platform.sources.database.type_mapping import arrow_text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import (
        URL,
        ColumnElement,
        Connection,
        CursorResult,
        Engine,
        FromClause,
        Inspector,
    )
    from sqlalchemy.types import TypeEngine

    from etl_platform.sources.database.policy import TargetColumn
    from etl_platform.sources.database.watermark import Bound

_SYSTEM = frozenset({"information_schema", "mysql", "performance_schema", "sys"})
_TYPE = re.compile(r"(\w+)(?:\((\d+)(?:,(\d+))?\))?")
_TRANSIENT = frozenset({1040, 1053, 1158, 1159, 1160, 1161, 1205, 1213, 1317, 1927, 1969, 2002,
                        2003, 2006, 2013, 2055, 3024})  # fmt: skip
_LOST = frozenset({0, 2002, 2003, 2006, 2013, 2055})
_FIXES = {
    1044: "grant SELECT on the database to this user",
    1045: "correct the user or password in the URL",
    1049: "correct the database's name in the URL",
    1054: "refresh what is known about the source, or correct the column's name",
    1064: "correct the SQL; a :name is bound only when params has it",
    1142: "grant SELECT on the table to this user",
    1146: "refresh what is known about the source, or correct the table's name",
    1317: "raise statement_timeout_s, or read less at a time",
    1792: "a source is read only: write a SELECT",
    1969: "raise statement_timeout_s, or read less at a time",
    3024: "raise statement_timeout_s, or read less at a time",
}
_CATALOG = """
SELECT c.table_name, c.column_name, c.column_type, t.table_rows
FROM information_schema.columns c
JOIN information_schema.tables t
  ON t.table_schema = c.table_schema AND t.table_name = c.table_name
WHERE c.table_schema = :schema
"""


class MySqlDialect(Dialect):
    """MariaDB 10.5 and MySQL 8.0, and newer."""

    name = "mysql"

    @property
    def driver_errors(self) -> tuple[type[Exception], ...]:
        import pymysql

        return (pymysql.err.MySQLError,)

    def create_engine(self, url: URL, pool: PoolSettings) -> Engine:
        import sqlalchemy as sa
        from pymysql.constants import FIELD_TYPE
        from pymysql.converters import conversions

        as_text = {FIELD_TYPE.DATE, FIELD_TYPE.NEWDATE, FIELD_TYPE.DATETIME, FIELD_TYPE.TIMESTAMP,
                   FIELD_TYPE.TIME, FIELD_TYPE.DECIMAL, FIELD_TYPE.NEWDECIMAL}  # fmt: skip
        return sa.create_engine(
            url.set(drivername="mysql+pymysql"),
            pool_pre_ping=True,
            pool_size=pool.size,
            max_overflow=pool.overflow,
            pool_timeout=pool.connect_timeout_s,
            hide_parameters=True,
            connect_args={
                "connect_timeout": pool.connect_timeout_s,
                "charset": "utf8mb4",
                "conv": {kind: by for kind, by in conversions.items() if kind not in as_text},
            },
        )

    def start(
        self, connection: Connection, pool: PoolSettings, snapshot: str | None = None
    ) -> Connection:
        del snapshot  # neither server lets one connection join the snapshot of another
        mariadb = bool(getattr(connection.dialect, "is_mariadb", False))
        connection.exec_driver_sql("SET time_zone = '+00:00'")
        connection.exec_driver_sql("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        if pool.statement_timeout_s is not None:
            limit = (
                f"max_statement_time = {pool.statement_timeout_s:f}"
                if mariadb
                else f"max_execution_time = {max(1, round(pool.statement_timeout_s * 1000))}"
            )
            connection.exec_driver_sql(f"SET {limit}")
        connection.exec_driver_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        return connection

    def stopping(self, connection: Connection) -> Callable[[], None]:
        """KILL QUERY, which a user may do to connections of his own."""
        driver: Any = connection.connection.driver_connection
        dialect, number = connection.dialect, int(driver.thread_id())
        places, options = dialect.create_connect_args(connection.engine.url)

        def stop() -> None:
            # The driver alone: SQLAlchemy would ask a new connection for this and that first.
            with dialect.loaded_dbapi.connect(*places, **options, connect_timeout=2) as other:
                other.cursor().execute(f"KILL QUERY {number}")

        return stop

    def schemas(self, inspector: Inspector) -> list[str | None]:
        """The URL's database; all that are not the system's where it names none."""
        if inspector.default_schema_name:
            return [inspector.default_schema_name]
        return [name for name in inspector.get_schema_names() if name not in _SYSTEM]

    def catalog(self, connection: Connection, schema: str | None) -> Catalog:
        import sqlalchemy as sa

        rows = connection.execute(sa.text(_CATALOG), {"schema": schema}).all()
        return Catalog(
            declared={(table, column): _text(declared) for table, column, declared, _ in rows},
            estimated_rows={table: estimate for table, _, _, estimate in rows},
        )

    def column_name(self, reflected: str) -> str:
        """SQLAlchemy reads SHOW CREATE TABLE and leaves a backtick in a name doubled."""
        return reflected.replace("``", "`")

    def column_type(self, reflected: TypeEngine[Any], declared: str) -> TypeEngine[Any]:
        del reflected
        return _declared_type(declared)

    def probe(
        self, connection: Connection, query: FromClause, params: Mapping[str, object]
    ) -> tuple[SourceColumn, ...]:
        import sqlalchemy as sa

        star: sa.ColumnElement[Any] = sa.literal_column("*")
        result = connection.execute(sa.select(star).select_from(query).limit(0), params)
        cursor: Any = result.cursor
        columns: list[SourceColumn] = []
        for field in cursor._result.fields:  # noqa: SLF001  # the public description has no flags
            declared = _field_type(field)
            text, problem = arrow_text_of(_declared_type(declared))
            columns.append(SourceColumn(field.name, declared, text, problem=problem))
        result.close()
        return tuple(columns)

    def abandon(self, connection: Connection, result: CursorResult[Any]) -> None:
        """Drop the connection: the driver would read the rest of the rows first, and on a lost
        connection fail when its objects are collected."""
        cursor: Any = result.cursor
        if cursor is not None:
            if cursor._result is not None:  # noqa: SLF001
                cursor._result.unbuffered_active = False  # noqa: SLF001
            cursor.connection = None
        connection.invalidate()

    def expression(self, column: ColumnElement[Any], target: TargetColumn) -> ColumnElement[Any]:
        """What arrives exactly: floats as doubles, bits as numbers, moments with their zone."""
        import pyarrow as pa
        import sqlalchemy as sa

        kind = target.source_type.partition("(")[0].split(" ")[0]
        if target.as_text or kind in ("uuid", "inet4", "inet6"):
            return sa.cast(column, sa.CHAR())
        if kind == "float":
            return column.op("+")(sa.literal_column("0e0"))
        if kind in ("bit", "year"):
            return column.op("+")(sa.literal_column("0"))
        if pa.types.is_timestamp(target.type) and target.type.tz:
            return sa.func.concat(column, sa.literal_column("'+00'"))
        return column

    def at_least(
        self, column: ColumnElement[Any], bound: Bound, target: TargetColumn
    ) -> ColumnElement[bool]:
        if isinstance(bound, str):
            return _bytes_of(column) >= _bytes_of(_bound(bound))
        return super().at_least(column, _in_session_zone(bound), target)

    def below(
        self, column: ColumnElement[Any], bound: Bound, target: TargetColumn
    ) -> ColumnElement[bool]:
        if isinstance(bound, str):
            return _bytes_of(column) < _bytes_of(_bound(bound))
        return super().below(column, _in_session_zone(bound), target)

    def judge(self, error: BaseException) -> Fault:
        code = error.args[0] if error.args and isinstance(error.args[0], int) else None
        if code in _LOST:
            return Fault(transient=True, fix="check that the server runs and can be reached")
        return Fault(transient=code in _TRANSIENT, fix=_FIXES.get(code) if code else None)


def _bytes_of(text: ColumnElement[Any]) -> ColumnElement[Any]:
    """A text's UTF-8, which sorts as texts do in the lake: by a collation 'B' may equal 'b' and 'a'
    equal 'a ', so that rows would be skipped. No index helps with it."""
    import sqlalchemy as sa
    from sqlalchemy.dialects.mysql import CHAR

    return sa.cast(sa.cast(text, CHAR(charset="utf8mb4")), sa.BINARY())


def _bound(text: str) -> ColumnElement[Any]:
    import sqlalchemy as sa

    return sa.bindparam("etl_bound", text, type_=sa.String(), unique=True)


def _in_session_zone(bound: Bound) -> Bound:
    """The driver drops a time zone: what it sends has to be in the session's, which is UTC."""
    if isinstance(bound, datetime) and bound.tzinfo is not None:
        return bound.astimezone(UTC).replace(tzinfo=None)
    return bound


def _text(value: object) -> str:
    """MySQL 8 gives types of its catalog as bytes."""
    return value.decode() if isinstance(value, bytes) else str(value)


def _declared_type(declared: str) -> TypeEngine[Any]:
    import sqlalchemy as sa

    found = _TYPE.match(declared.lower())
    name, first, second = found.groups() if found else ("", None, None)
    unsigned = "unsigned" in declared.lower()
    match name:
        case "tinyint" | "year":
            return sa.SmallInteger()
        case "smallint":
            return sa.Integer() if unsigned else sa.SmallInteger()
        case "mediumint":
            return sa.Integer()
        case "int" | "integer":
            return sa.BigInteger() if unsigned else sa.Integer()
        case "bigint":
            return sa.Numeric(20, 0) if unsigned else sa.BigInteger()
        case "bit":
            return sa.Numeric(20, 0) if int(first or 1) > 63 else sa.BigInteger()
        case "decimal" | "numeric":
            return sa.Numeric(int(first or 10), int(second or 0))
        case "float":
            return sa.REAL()
        case "double":
            return sa.Double()
        case "date":
            return sa.Date()
        case "datetime":
            return sa.DateTime()
        case "timestamp":
            return sa.DateTime(timezone=True)
        case "time":
            return sa.Time()
        case "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob":
            return sa.LargeBinary()
        case ("char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" | "enum"
              | "set" | "json" | "uuid" | "inet4" | "inet6"):  # fmt: skip
            return sa.String()
        case _:
            return sa.types.NullType()


def _field_type(field: Any) -> str:
    """The declared type that a result's field came from, as far as the protocol tells."""
    from pymysql.constants import FIELD_TYPE as T
    from pymysql.constants import FLAG

    unsigned = " unsigned" if field.flags & FLAG.UNSIGNED else ""
    binary_charset = 63
    if field.type_code in (T.DECIMAL, T.NEWDECIMAL):
        digits = field.length - (1 if field.scale else 0) - (0 if unsigned else 1)
        return f"decimal({digits},{field.scale}){unsigned}"
    if field.type_code == T.BIT:
        return f"bit({field.length})"
    names = {T.TINY: "tinyint", T.SHORT: "smallint", T.INT24: "mediumint", T.LONG: "int",
             T.LONGLONG: "bigint", T.FLOAT: "float", T.DOUBLE: "double", T.YEAR: "year",
             T.DATE: "date", T.NEWDATE: "date", T.DATETIME: "datetime", T.TIMESTAMP: "timestamp",
             T.TIME: "time", T.JSON: "json"}  # fmt: skip
    if field.type_code in names:
        return names[field.type_code] + unsigned
    if field.type_code == T.GEOMETRY:
        return "geometry"
    return "varbinary" if field.charsetnr == binary_charset else "varchar"
