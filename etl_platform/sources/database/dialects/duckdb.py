"""DuckDB files, opened read-only, without access to any other file.

Dates and timestamps are asked for as text, because DuckDB knows infinity and years that Python and
the lake do not; Arrow parses them, and what has no place is refused with its row.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etl_platform.core.errors import ConfigError, PermanentError
from etl_platform.core.settings import get_settings
from etl_platform.sources.database.dialects.base import Catalog, Dialect, Fault, PoolSettings
from etl_platform.sources.database.tables import SourceColumn
from etl_platform.sources.database.type_mapping import arrow_text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import URL, ColumnElement, Connection, Engine, FromClause, Inspector
    from sqlalchemy.types import TypeEngine

    from etl_platform.sources.database.policy import TargetColumn

_LIST = re.compile(r"(.+)\[\d*\]", re.DOTALL)
_TEXTS = ("VARCHAR", "JSON")
_DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")
_LOCKED = "could not set lock"
_ELSEWHERE = "different configuration"


class DuckDbDialect(Dialect):
    """DuckDB 1.2 and newer files. A statement timeout does not apply: there is no server."""

    name = "duckdb"

    @property
    def driver_errors(self) -> tuple[type[Exception], ...]:
        import duckdb

        return (duckdb.Error,)

    def create_engine(self, url: URL, pool: PoolSettings) -> Engine:
        import sqlalchemy as sa
        from sqlalchemy.dialects import registry

        if not url.database or url.database == ":memory:":
            raise ConfigError("a DuckDB source is a file", valid="duckdb:////absolute/path.duckdb")
        path = Path(url.database).absolute()

        def connect() -> object:
            import duckdb

            from etl_platform.sources.database.dialects.duckdb_driver import Session

            if not path.is_file():
                raise PermanentError(
                    f"there is no DuckDB database at {path}", fix="correct the path in the URL"
                )
            settings = get_settings()
            opened = duckdb.connect(
                path,
                read_only=True,
                config={
                    "threads": settings.threads,
                    "memory_limit": f"{settings.memory_limit}B",
                    "enable_external_access": "false",
                    "python_enable_replacements": "false",
                },
            )
            opened.execute("SET TimeZone = 'UTC'")
            return Session(opened)

        registry.register(
            "duckdb", "etl_platform.sources.database.dialects.duckdb_driver", "DuckDbSql"
        )
        return sa.create_engine(
            "duckdb://",
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
        driver: Any = connection.connection.driver_connection
        driver.begin()
        return connection

    def schemas(self, inspector: Inspector) -> list[str | None]:
        return list(inspector.get_schema_names())

    def catalog(self, connection: Connection, schema: str | None) -> Catalog:
        columns = connection.exec_driver_sql(
            "SELECT table_name, column_name, data_type FROM duckdb_columns() "
            "WHERE database_name = current_database() AND schema_name = ?",
            (schema,),
        ).all()
        sizes = connection.exec_driver_sql(
            "SELECT table_name, estimated_size FROM duckdb_tables() "
            "WHERE database_name = current_database() AND schema_name = ?",
            (schema,),
        ).all()
        return Catalog(
            declared={(table, column): declared for table, column, declared in columns},
            estimated_rows={table: int(rows) for table, rows in sizes},
        )

    def column_type(self, reflected: TypeEngine[Any], declared: str) -> TypeEngine[Any]:
        del reflected
        return declared_type(declared)

    def probe(
        self, connection: Connection, query: FromClause, params: Mapping[str, object]
    ) -> tuple[SourceColumn, ...]:
        import sqlalchemy as sa

        star: sa.ColumnElement[Any] = sa.literal_column("*")
        result = connection.execute(sa.select(star).select_from(query).limit(0), dict(params))
        described: Any = result.cursor
        found = [(name, str(kind)) for name, kind, *_ in described.description]
        result.close()
        columns: list[SourceColumn] = []
        for name, declared in found:
            text, problem = arrow_text_of(declared_type(declared))
            columns.append(SourceColumn(name, declared, text, problem=problem))
        return tuple(columns)

    def expression(self, column: ColumnElement[Any], target: TargetColumn) -> ColumnElement[Any]:
        """Text for what Python or the lake would not hold: of a list, the text of every item."""
        import pyarrow as pa
        import sqlalchemy as sa

        from etl_platform.sources.database.dialects.duckdb_driver import DuckDbType

        if target.as_text:
            return sa.cast(column, DuckDbType("VARCHAR"))
        found = _LIST.fullmatch(target.source_type)
        kind = target.type.value_type if isinstance(target.type, pa.ListType) else target.type
        base = (found[1] if found else target.source_type).partition("(")[0]
        if pa.types.is_temporal(kind) or (pa.types.is_string(kind) and base not in _TEXTS):
            return sa.cast(column, DuckDbType("VARCHAR[]" if found else "VARCHAR"))
        if found and not target.source_type.endswith("[]"):  # of a fixed length: Python gets tuples
            return sa.cast(column, DuckDbType(f"{found[1]}[]"))
        return column

    def judge(self, error: BaseException) -> Fault:
        text = str(error).lower()
        if _LOCKED in text:
            return Fault(
                transient=True,
                fix="another process has the file open for writing: let it close the file, or read "
                "a copy of it",
            )
        if _ELSEWHERE in text:
            return Fault(
                transient=False,
                fix="this process has the file open for writing: close that connection first",
            )
        if "does not exist" in text or "not found in from" in text:
            return Fault(
                transient=False, fix="refresh what is known about the source, or correct the name"
            )
        return Fault(transient=False)


def declared_type(declared: str) -> TypeEngine[Any]:
    """The SQLAlchemy type of a type in DuckDB's words; NullType where the lake has no place."""
    import sqlalchemy as sa

    if (item := _LIST.fullmatch(declared)) is not None:
        inner = declared_type(item[1])
        return sa.types.NullType() if isinstance(inner, sa.ARRAY) else sa.ARRAY(inner)
    if (decimal := _DECIMAL.fullmatch(declared)) is not None:
        return sa.Numeric(int(decimal[1]), int(decimal[2]))
    kinds: dict[str, TypeEngine[Any]] = {
        "BOOLEAN": sa.Boolean(),
        "TINYINT": sa.SmallInteger(),
        "UTINYINT": sa.SmallInteger(),
        "SMALLINT": sa.SmallInteger(),
        "USMALLINT": sa.Integer(),
        "INTEGER": sa.Integer(),
        "UINTEGER": sa.BigInteger(),
        "BIGINT": sa.BigInteger(),
        "UBIGINT": sa.Numeric(20, 0),
        "HUGEINT": sa.Numeric(38, 0),
        "UHUGEINT": sa.Numeric(38, 0),
        "FLOAT": sa.REAL(),
        "DOUBLE": sa.Double(),
        "VARCHAR": sa.String(),
        "JSON": sa.String(),
        "UUID": sa.String(),
        "BIT": sa.String(),
        "ENUM": sa.String(),
        "BLOB": sa.LargeBinary(),
        "DATE": sa.Date(),
        "TIMESTAMP": sa.DateTime(),
        "TIMESTAMP_S": sa.DateTime(),
        "TIMESTAMP_MS": sa.DateTime(),
        "TIMESTAMP_NS": sa.DateTime(),
        "TIMESTAMP WITH TIME ZONE": sa.DateTime(timezone=True),
    }
    return kinds.get(declared.partition("(")[0], sa.types.NullType())
