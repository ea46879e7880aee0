"""DuckDB types as they are written in YAML."""

from __future__ import annotations

import re
from functools import lru_cache

from sqlglot import exp
from sqlglot.errors import SqlglotError

from etl_platform.core.duck import sealed
from etl_platform.core.errors import EtlError, UnknownName
from etl_platform.core.types import duckdb_type, lake_type_of_duckdb

_WRITTEN = re.compile(r"[A-Za-z0-9_ (),\[\]\"]{1,500}")
_COMMON = (
    *("BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL(18, 2)"),
    *("VARCHAR", "DATE", "TIMESTAMP", "TIMESTAMPTZ", "BLOB", "UUID", "INTEGER[]"),
)

_PASSING = frozenset({"TIME", "INTERVAL", "JSON"})
"""What values may be on the way, though no column of the lake can have the type."""


def type_text(written: str, *, where: str) -> str:
    """The type as DuckDB and the lake write it: ``int`` is ``INTEGER``.

    Raises:
        UnknownName: DuckDB has no such type, or the lake cannot keep it.
    """
    found = _known(written.strip()) if _WRITTEN.fullmatch(written.strip()) else None
    if found is None:
        raise UnknownName("type", written, _COMMON, where=where)
    return found


def check_cast(kind: exp.DataType, *, where: str) -> None:
    """Refuse to cast to a type that is neither the lake's nor a span or time of day.

    Raises:
        UnknownName: with the nearest.
    """
    written = kind.sql(dialect="duckdb")
    if written.upper() not in _PASSING:
        type_text(written, where=where)


def data_type(written: str, *, where: str) -> exp.DataType:
    """:func:`type_text` as a node of a tree."""
    return exp.DataType.build(type_text(written, where=where), dialect="duckdb")


@lru_cache(maxsize=1024)
def _known(written: str) -> str | None:
    import duckdb

    try:
        exp.DataType.build(written, dialect="duckdb")
        with sealed() as con:
            kind = con.sql(f"SELECT CAST(NULL AS {written}) AS x").types[0]
        return duckdb_type(lake_type_of_duckdb(kind, "x"))
    except (duckdb.Error, SqlglotError, EtlError):
        return None
