"""SQLite through Python's driver, opened read-only.

SQLite enforces no column types (https://www.sqlite.org/datatype3.html): what a column declares is
taken as a promise, and a value that breaks it is an error, not a conversion.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from etl_platform.core.errors import ConfigError, PermanentError
from etl_platform.sources.database.dialects.base import Catalog, Dialect, Fault, PoolSettings
from etl_platform.sources.database.tables import SourceColumn
from etl_platform.sources.database.type_mapping import arrow_text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import URL, ColumnElement, Connection, Engine, FromClause, Inspector
    from sqlalchemy.types import TypeEngine

    from etl_platform.sources.database.policy import TargetColumn
    from etl_platform.sources.database.watermark import Bound

_OBSERVED_ROWS = 1_000
_ARGUMENTS = re.compile(r"\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)")
_TRANSIENT = ("locked", "busy", "disk i/o", "unable to open")
_PROBE = "_etl_probe"


class SqliteDialect(Dialect):
    """SQLite files. A statement timeout does not apply: there is no server to stop."""

    name = "sqlite"

    @property
    def driver_errors(self) -> tuple[type[Exception], ...]:
        import sqlite3

        return (sqlite3.Error,)

    def create_engine(self, url: URL, pool: PoolSettings) -> Engine:
        import sqlite3

        import sqlalchemy as sa

        if not url.database or url.database == ":memory:":
            raise ConfigError("a SQLite source is a file", valid="sqlite:////absolute/path.db")
        path = Path(url.database).absolute()

        def connect() -> sqlite3.Connection:
            if not path.is_file():
                raise PermanentError(
                    f"there is no SQLite database at {path}", fix="correct the path in the URL"
                )
            # Another thread may consume the stream; the pool keeps it to one at a time.
            return sqlite3.connect(
                f"file:{quote(str(path))}?mode=ro",
                uri=True,
                timeout=pool.connect_timeout_s,
                check_same_thread=False,
            )

        return sa.create_engine(
            "sqlite://",
            creator=connect,
            poolclass=sa.QueuePool,
            pool_pre_ping=True,
            pool_size=pool.size,
            max_overflow=pool.overflow,
            pool_timeout=pool.connect_timeout_s,
            hide_parameters=True,
        )

    def start(
        self, connection: Connection, pool: PoolSettings, snapshot: str | None = None
    ) -> Connection:
        del pool, snapshot
        connection.exec_driver_sql("BEGIN")
        return connection

    def schemas(self, inspector: Inspector) -> list[str | None]:
        del inspector
        return [None]

    def catalog(self, connection: Connection, schema: str | None) -> Catalog:
        import sqlalchemy as sa

        del schema
        columns = connection.exec_driver_sql(
            "SELECT m.name, c.name, c.type FROM sqlite_schema m, pragma_table_xinfo(m.name) c "
            "WHERE m.type IN ('table', 'view')"
        ).all()
        rowid_tables = connection.exec_driver_sql(
            "SELECT name FROM pragma_table_list "
            "WHERE schema = 'main' AND type = 'table' AND wr = 0 "
            "AND name NOT LIKE 'sqlite~_%' ESCAPE '~'"
        ).scalars()
        estimates: dict[str, int | None] = {}
        for name in rowid_tables.all():
            # The largest rowid is found without a scan and counts the rows of a table that was only
            # ever appended to.
            largest = sa.func.max(sa.literal_column("rowid"))
            source = sa.table(sa.quoted_name(name, quote=True))
            found = connection.execute(sa.select(largest).select_from(source)).scalar()
            estimates[name] = max(0, found) if isinstance(found, int) else 0
        return Catalog(
            declared={(table, column): declared for table, column, declared in columns},
            estimated_rows=estimates,
        )

    def column_type(self, reflected: TypeEngine[Any], declared: str) -> TypeEngine[Any] | None:
        del reflected
        return _declared_type(declared)

    def probe(
        self, connection: Connection, query: FromClause, params: Mapping[str, object]
    ) -> tuple[SourceColumn, ...]:
        """A temporary view tells which columns come from tables, and what those declare."""
        import sqlalchemy as sa

        statement = (
            sa.select(sa.literal_column("*")).select_from(query).params(dict.fromkeys(params))
        )
        text = statement.compile(connection, compile_kwargs={"literal_binds": True}).string
        connection.exec_driver_sql(f"CREATE TEMP VIEW {_PROBE} AS {text}")
        declared = (
            connection.exec_driver_sql(f"SELECT type FROM pragma_table_xinfo('{_PROBE}')")
            .scalars()
            .all()
        )
        connection.exec_driver_sql(f"DROP VIEW temp.{_PROBE}")
        star: sa.ColumnElement[Any] = sa.literal_column("*")
        sample = connection.execute(
            sa.select(star).select_from(query).limit(_OBSERVED_ROWS), dict(params)
        )
        names = list(sample.keys())
        values = list(zip(*sample.all(), strict=True)) or [()] * len(names)
        return tuple(
            _column(name, kind, column)
            for name, kind, column in zip(names, declared, values, strict=True)
        )

    def observe(
        self, connection: Connection, source: FromClause, columns: list[str]
    ) -> Mapping[str, str | None]:
        import sqlalchemy as sa

        chosen = [source.c[name] for name in columns]
        rows = connection.execute(
            sa.select(*chosen).select_from(source).limit(_OBSERVED_ROWS)
        ).all()
        values = list(zip(*rows, strict=True)) or [()] * len(columns)
        return {name: _observed(column) for name, column in zip(columns, values, strict=True)}

    def at_least(
        self, column: ColumnElement[Any], bound: Bound, target: TargetColumn
    ) -> ColumnElement[bool]:
        if not isinstance(bound, date):
            return column >= _number_or_text(bound)
        low = _shortest(bound, target)
        import sqlalchemy as sa

        return sa.and_(column >= low, sa.func.replace(column, "T", " ") >= low)

    def below(
        self, column: ColumnElement[Any], bound: Bound, target: TargetColumn
    ) -> ColumnElement[bool]:
        if not isinstance(bound, date):
            return column < _number_or_text(bound)
        high = _shortest(bound, target)
        import sqlalchemy as sa

        return sa.and_(column < high.replace(" ", "T"), sa.func.replace(column, "T", " ") < high)

    def judge(self, error: BaseException) -> Fault:
        text = str(error).lower()
        if any(word in text for word in _TRANSIENT):
            return Fault(
                transient=True, fix="another process holds the file; a retry may find it free"
            )
        if "no such" in text:
            return Fault(
                transient=False, fix="refresh what is known about the source, or correct the name"
            )
        return Fault(transient=False)


def _declared_type(declared: str) -> TypeEngine[Any] | None:
    """The promise of a declared type; None for one that says nothing about the values."""
    import sqlalchemy as sa

    name = re.sub(r"\(.*?\)", "", declared).strip().upper()
    name = re.sub(r"\s+", " ", name)
    arguments = _ARGUMENTS.search(declared)
    exact: dict[str, TypeEngine[Any]] = {
        "BOOLEAN": sa.Boolean(),
        "BOOL": sa.Boolean(),
        "DATE": sa.Date(),
        "DATETIME": sa.DateTime(),
        "TIMESTAMP": sa.DateTime(),
        "TIMESTAMP WITHOUT TIME ZONE": sa.DateTime(),
        "TIMESTAMPTZ": sa.DateTime(timezone=True),
        "TIMESTAMP WITH TIME ZONE": sa.DateTime(timezone=True),
        "TIME": sa.Time(),
        "INTERVAL": sa.Interval(),
        "JSON": sa.JSON(),
        "UUID": sa.Uuid(),
    }
    if name in exact:
        return exact[name]
    if name in ("NUMERIC", "DECIMAL", "DEC", "NUMBER"):
        if arguments is None:
            return sa.Numeric()
        return sa.Numeric(int(arguments[1]), int(arguments[2] or 0))
    # SQLite's own rules of affinity, in their order.
    if "INT" in name:
        return sa.BigInteger()
    if any(word in name for word in ("CHAR", "CLOB", "TEXT")):
        return sa.String()
    if "BLOB" in name:
        return sa.LargeBinary()
    if any(word in name for word in ("REAL", "FLOA", "DOUB")):
        return sa.Double()
    return None


def _column(name: str, declared: str, values: tuple[object, ...]) -> SourceColumn:
    sa_type = _declared_type(declared)
    if sa_type is None:
        text = _observed(values)
        return SourceColumn(name, declared, text, problem=None if text else "untyped")
    text, problem = arrow_text_of(sa_type)
    return SourceColumn(name, declared, text, problem=problem)


def _observed(values: tuple[object, ...]) -> str | None:
    kinds = set(map(type, values)) - {type(None)}
    names = {int: "int64", float: "float64", str: "string", bytes: "binary"}
    if len(kinds) == 1:
        return names[kinds.pop()]
    return "float64" if kinds == {int, float} else None


def _number_or_text(bound: Bound) -> int | float | str:
    """SQLite has no decimals: they are stored as the float or integer that reads the same."""
    if isinstance(bound, Decimal):
        return int(bound) if bound == bound.to_integral_value() else float(bound)
    assert not isinstance(bound, date)
    return bound


def _shortest(bound: date, target: TargetColumn) -> str:
    """The shortest text of a moment: every other text of it, with or without seconds or a fraction,
    starts with this one and so sorts at or after it.

    Raises:
        ConfigError: texts with differing UTC offsets do not sort by time.
    """
    if not isinstance(bound, datetime):
        return bound.isoformat()
    if bound.tzinfo is not None:
        raise ConfigError(
            f"column {target.name!r}: SQLite cannot order timestamps with time zone, they are text",
            fix="use another column, or a query that converts it to UTC without offset",
        )
    text = bound.isoformat(sep=" ")
    if bound.microsecond:
        return text.rstrip("0")
    return text.removesuffix(":00").removesuffix(":00").removesuffix(" 00")
