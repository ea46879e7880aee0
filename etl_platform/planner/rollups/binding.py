"""Names and types that DuckDB gives to a statement's columns, from its binder over empty tables."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from threading import Lock
from typing import TYPE_CHECKING

from etl_platform.core.duck import quote, sealed
from etl_platform.core.names import TableName
from etl_platform.planner.rollups.reasons import NotUsable, Stage

if TYPE_CHECKING:
    import duckdb

_lock = Lock()
_made: dict[TableName, str] = {}
_MOST_KEPT = 512


@cache
def _session() -> duckdb.DuckDBPyConnection:
    return sealed()


def bound(
    sql: str,
    tables: Mapping[TableName, Mapping[str, str]],
    params: Mapping[str, object] | list[object] | None = None,
) -> list[tuple[str, str]]:
    """The columns of a SELECT in order: name and DuckDB type.

    Args:
        tables: columns and types of every table that it names.
        params: the values that it binds, and no others.

    Raises:
        NotUsable: DuckDB refuses it.
    """
    fields = tuple(
        (table, ", ".join(f"{quote(name)} {kind}" for name, kind in columns.items()))
        for table, columns in tables.items()
    )
    return _bound(sql, fields, params) if params else _bound_once(sql, fields)


@lru_cache(maxsize=_MOST_KEPT)
def _bound_once(sql: str, tables: tuple[tuple[TableName, str], ...]) -> list[tuple[str, str]]:
    return _bound(sql, tables, None)


def _bound(
    sql: str,
    tables: tuple[tuple[TableName, str], ...],
    params: Mapping[str, object] | list[object] | None,
) -> list[tuple[str, str]]:
    import duckdb

    with _lock:
        con = _session()
        try:
            for table, fields in tables:
                if _made.get(table) != fields:
                    con.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(table.schema)}")
                    name = f"{quote(table.schema)}.{quote(table.name)}"
                    con.execute(f"CREATE OR REPLACE TABLE {name} ({fields})")
                    _made[table] = fields
            relation = con.sql(sql, params=params) if params else con.sql(sql)
            return [(n, str(t)) for n, t in zip(relation.columns, relation.types, strict=True)]
        except duckdb.Error as error:
            first = (str(error).splitlines() or [""])[0]
            raise NotUsable(f"DuckDB does not bind it: {first[:120]}", Stage.TYPES) from error
