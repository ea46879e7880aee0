"""How many bytes tables take in their database, indexes included, by its own count."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from etl_platform.sources.database import Database

Name: TypeAlias = "tuple[str | None, str]"
"""Schema (None where there are none) and table."""

_POSTGRESQL = """
SELECT n.nspname, c.relname,
       coalesce((SELECT sum(pg_total_relation_size(p.relid)) FROM pg_partition_tree(c.oid) p),
                pg_total_relation_size(c.oid))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm')
"""
_MYSQL = """
SELECT table_schema, table_name, data_length + index_length
FROM information_schema.tables WHERE data_length IS NOT NULL
"""
_SQLITE = """
SELECT NULL, m.tbl_name, sum(s.pgsize)
FROM dbstat s JOIN sqlite_schema m ON m.name = s.name
WHERE s.aggregate GROUP BY m.tbl_name
"""


def table_sizes(database: Database) -> Mapping[Name, int]:
    """Bytes by table; a table is missing where its database does not count (views, DuckDB).

    Raises:
        SourceUnavailable, PermanentError: as :meth:`Database.session`.
    """
    count = _COUNTS.get(database.dialect.name)
    if count is None:
        return {}
    with database.session() as connection:
        return count(connection)


def _counted(statement: str) -> Callable[[Connection], dict[Name, int]]:
    def count(connection: Connection) -> dict[Name, int]:
        rows = connection.exec_driver_sql(statement).all()
        return {(schema, name): int(size) for schema, name, size in rows}

    return count


def _sqlite(connection: Connection) -> dict[Name, int]:
    # The table that counts pages is an option of SQLite's build.
    there = connection.exec_driver_sql(
        "SELECT 1 FROM pragma_module_list WHERE name = 'dbstat'"
    ).first()
    return _counted(_SQLITE)(connection) if there else {}


_COUNTS: Mapping[str, Callable[[Connection], dict[Name, int]]] = {
    "postgresql": _counted(_POSTGRESQL),
    "mysql": _counted(_MYSQL),
    "mariadb": _counted(_MYSQL),
    "sqlite": _sqlite,
}
