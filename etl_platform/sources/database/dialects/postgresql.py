"""PostgreSQL through psycopg 3.

Values whose Python objects cost time or lose something (Decimal, datetime, parsed JSON) stay the
server's text, which Arrow parses a whole column at a time. The session's settings make that text
unambiguous.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from etl_platform.sources.database.dialects.base import Catalog, Dialect, Fault, PoolSettings
from etl_platform.sources.database.tables import SourceColumn
from etl_platform.sources.database.type_mapping import arrow_text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import psycopg
    from sqlalchemy import URL, ColumnElement, Connection, Engine, FromClause, Inspector, Select
    from sqlalchemy.types import TypeEngine

    from etl_platform.sources.database.policy import TargetColumn
    from etl_platform.sources.database.statements import ReadPlan

_AS_TEXT = ("numeric", "date", "timestamp", "timestamptz", "uuid", "json", "jsonb", "inet", "cidr")
_SESSION = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
}
_TRANSIENT_CLASSES = ("08", "40", "53", "57", "58")
_TRANSIENT_STATES = {"55P03", "55006"}
_FIXES = {
    "57014": "raise statement_timeout_s, or read less at a time",
    "42501": "grant SELECT (and USAGE on the schema) to this user",
    "42P01": "refresh what is known about the source, or correct the table's name",
    "42703": "refresh what is known about the source, or correct the column's name",
    "3F000": "correct the schema's name",
    "3D000": "correct the database's name in the URL",
    "42601": "correct the SQL; a :name is bound only when params has it",
    "25006": "a source is read only: write a SELECT",
}
# What a server says when it refuses a login: psycopg gives no SQLSTATE for failed connections.
_REFUSED_LOGIN = (
    "authentication failed",
    "no password supplied",
    "no pg_hba.conf entry",
    "does not exist",
    "not permitted to log in",
)
_NUMERIC = re.compile(r"numeric\((\d+),(-?\d+)\)")
_CATALOG = """
SELECT c.relname, a.attname,
       CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod)
            ELSE format_type(a.atttypid, a.atttypmod) END,
       CASE WHEN c.relkind IN ('r', 'm', 'p') AND c.reltuples >= 0 THEN c.reltuples::bigint END,
       c.relispartition
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
WHERE n.nspname = :schema AND c.relkind IN ('r', 'p', 'f', 'v', 'm')
"""
_TYPES = """
SELECT t.oid::bigint, format_type(t.oid, NULL), t.typtype = 'e',
       coalesce(e.typtype = 'e', false), t.typelem <> 0 AND t.typcategory = 'A'
FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem
WHERE t.oid = ANY(:oids)
"""


class PostgresDialect(Dialect):
    """PostgreSQL 12 and newer."""

    name = "postgresql"

    @property
    def driver_errors(self) -> tuple[type[Exception], ...]:
        import psycopg

        return (psycopg.Error,)

    def create_engine(self, url: URL, pool: PoolSettings) -> Engine:
        import sqlalchemy as sa

        defaults = {"connect_timeout": str(pool.connect_timeout_s), "application_name": "etl"}
        return sa.create_engine(
            url.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            pool_size=pool.size,
            max_overflow=pool.overflow,
            pool_timeout=pool.connect_timeout_s,
            hide_parameters=True,
            connect_args={k: v for k, v in defaults.items() if k not in url.query},
        )

    def start(self, connection: Connection, pool: PoolSettings) -> Connection:
        reading = connection.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        self._configure(reading, pool)
        return reading

    def start_on(self, connection: Connection, pool: PoolSettings, snapshot: str) -> Connection:
        import sqlalchemy as sa

        reading = connection.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        # Has to be the first statement of the transaction, and takes no parameter.
        name = sa.bindparam("snapshot", snapshot, sa.Text(), literal_execute=True)
        reading.execute(sa.text("SET TRANSACTION SNAPSHOT :snapshot").bindparams(name))
        self._configure(reading, pool)
        return reading

    def _configure(self, reading: Connection, pool: PoolSettings) -> None:
        import sqlalchemy as sa

        settings = dict(_SESSION)
        if pool.statement_timeout_s is not None:
            settings["statement_timeout"] = str(max(1, round(pool.statement_timeout_s * 1000)))
        reading.execute(
            sa.select(
                *(sa.func.set_config(name, value, sa.true()) for name, value in settings.items())
            )
        )

    def stopping(self, connection: Connection) -> Callable[[], None]:
        """The protocol's own cancel request, which needs no login and no place on the server."""
        driver = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
        return lambda: driver.cancel_safe(timeout=2.0)

    def stop_named(self, connection: Connection, application: str) -> None:
        import sqlalchemy as sa

        ours = "usename = current_user AND application_name = :name"
        statement = f"SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE {ours}"
        connection.execute(sa.text(statement), {"name": application})

    def schemas(self, inspector: Inspector) -> list[str | None]:
        names = inspector.get_schema_names()
        return [n for n in names if n != "information_schema" and not n.startswith("pg_")]

    def catalog(self, connection: Connection, schema: str | None) -> Catalog:
        import sqlalchemy as sa

        rows = connection.execute(sa.text(_CATALOG), {"schema": schema}).all()
        return Catalog(
            declared={(table, column): declared for table, column, declared, _, _ in rows},
            estimated_rows={table: estimate for table, _, _, estimate, _ in rows},
            hidden=frozenset(table for table, _, _, _, partition in rows if partition),
        )

    def column_type(self, reflected: TypeEngine[Any], declared: str) -> TypeEngine[Any]:
        """SQLAlchemy forgets the precision of a domain's base type; the catalog knows it."""
        import sqlalchemy as sa
        from sqlalchemy.dialects import postgresql as pg

        if not isinstance(reflected, pg.DOMAIN):
            return reflected
        numeric = _NUMERIC.fullmatch(declared)
        return sa.Numeric(int(numeric[1]), int(numeric[2])) if numeric else reflected.data_type

    def probe(
        self, connection: Connection, query: FromClause, params: Mapping[str, object]
    ) -> tuple[SourceColumn, ...]:
        import sqlalchemy as sa

        star: sa.ColumnElement[Any] = sa.literal_column("*")
        result = connection.execute(sa.select(star).select_from(query).limit(0), params)
        description: list[Any] = list(result.cursor.description or ()) if result.cursor else []
        result.close()
        known = _types_of(connection, sorted({column.type_code for column in description}))
        columns: list[SourceColumn] = []
        for column in description:
            source_type, sa_type = known[column.type_code]
            if isinstance(sa_type, sa.Numeric) and column.precision is not None:
                sa_type = sa.Numeric(column.precision, column.scale)
                source_type = f"numeric({column.precision},{column.scale})"
            text, problem = arrow_text_of(sa_type)
            columns.append(SourceColumn(column.name, source_type, text, problem=problem))
        return tuple(columns)

    def before_read(self, connection: Connection) -> None:
        from psycopg.types.string import TextLoader
        from sqlalchemy import event

        def keep_text(_c: object, cursor: Any, *_rest: object) -> None:
            for name in _AS_TEXT:
                cursor.adapters.register_loader(name, TextLoader)

        event.listen(connection, "before_cursor_execute", keep_text)

    def expression(self, column: ColumnElement[Any], target: TargetColumn) -> ColumnElement[Any]:
        """Cast to text what is declared so; arrays of the database's own types arrive unparsed."""
        import pyarrow as pa
        import sqlalchemy as sa

        if target.as_text:
            return sa.cast(column, sa.Text())
        if pa.types.is_list(target.type) and pa.types.is_string(target.type.value_type):
            return sa.cast(column, sa.ARRAY(sa.Text()))
        return column

    def connection_options(self, pool: PoolSettings) -> Mapping[str, str]:
        settings = {**_SESSION, "default_transaction_read_only": "on"}
        if pool.statement_timeout_s is not None:
            settings["statement_timeout"] = str(max(1, round(pool.statement_timeout_s * 1000)))
        options = " ".join(f"-c {k}={v.replace(' ', chr(92) + ' ')}" for k, v in settings.items())
        return {"options": options, "application_name": "etl"}

    def standalone(
        self, connection: Connection, plan: ReadPlan, as_text: Callable[[TargetColumn], bool]
    ) -> str:
        """``concat`` gives what the server would print; a cast to text would add a netmask to inet
        and cut the padding off char(n)."""
        import pyarrow as pa
        import sqlalchemy as sa

        def selected(expression: ColumnElement[Any], column: TargetColumn) -> ColumnElement[Any]:
            if as_text(column) and not column.source_type.startswith(("char", "text")):
                return sa.case((expression.is_not(None), sa.func.concat(expression)))
            if pa.types.is_int64(column.type):  # an oid, which drivers take for 32 bits
                return sa.cast(expression, sa.BigInteger())
            return expression

        expressions = [
            selected(expression, column)
            for expression, column in zip(
                plan.statement.selected_columns, plan.columns, strict=True
            )
        ]
        statement = plan.statement.with_only_columns(*expressions, maintain_column_froms=True)
        return quoted_statement(connection, statement)

    def judge(self, error: BaseException) -> Fault:
        import psycopg

        state = getattr(error, "sqlstate", None)
        if state is None:
            text = str(error)
            refused = any(reason in text for reason in _REFUSED_LOGIN)
            lost = isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError))
            if refused:
                return Fault(
                    transient=False, fix="correct the user, password or database name in the URL"
                )
            return Fault(
                transient=lost,
                fix="check that the server runs and can be reached" if lost else None,
            )
        transient = state.startswith(_TRANSIENT_CLASSES) or state in _TRANSIENT_STATES
        return Fault(transient=transient, fix=_FIXES.get(state))


def quoted_statement(connection: Connection, statement: Select[Any], form: str = "{}") -> str:
    """The statement's text with its values quoted by the driver, as COPY and others need it."""
    import psycopg

    compiled = statement.compile(dialect=connection.dialect)
    driver = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
    with psycopg.ClientCursor(driver) as cursor:
        text = form.replace("{}", compiled.string, 1)
        return cursor.mogrify(text.encode(), compiled.construct_params() or {})


def _types_of(connection: Connection, oids: list[int]) -> dict[int, tuple[str, TypeEngine[Any]]]:
    """Type OID -> name in the database's words and the SQLAlchemy type."""
    import sqlalchemy as sa

    found: dict[int, tuple[str, TypeEngine[Any]]] = {}
    base = _type_names()
    for oid, name, is_enum, item_is_enum, is_array in connection.execute(
        sa.text(_TYPES), {"oids": oids}
    ):
        item = name.removesuffix("[]")
        known: TypeEngine[Any] = (
            sa.String() if is_enum or item_is_enum else base.get(item, sa.types.NullType())
        )
        found[oid] = (name, sa.ARRAY(known) if is_array else known)
    return found


@cache
def _type_names() -> dict[str, TypeEngine[Any]]:
    import sqlalchemy as sa
    from sqlalchemy.dialects import postgresql as pg

    text = ("text", "character varying", "character", "name", '"char"', "citext", "uuid", "json",
            "jsonb", "inet", "cidr", "macaddr", "macaddr8", "bit", "bit varying")  # fmt: skip
    return {
        **{name: sa.String() for name in text},
        "smallint": sa.SmallInteger(),
        "integer": sa.Integer(),
        "bigint": sa.BigInteger(),
        "oid": pg.OID(),
        "real": sa.REAL(),
        "double precision": sa.Double(),
        "numeric": sa.Numeric(),
        "boolean": sa.Boolean(),
        "bytea": sa.LargeBinary(),
        "date": sa.Date(),
        "timestamp without time zone": sa.DateTime(),
        "timestamp with time zone": sa.DateTime(timezone=True),
    }
