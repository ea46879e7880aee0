"""Whether DuckDB can run a contract's SQL over a table's columns, asked before any data is read."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from etl_platform.core.duck import quote, sealed
from etl_platform.core.errors import ConfigError
from etl_platform.core.types import duckdb_type
from etl_platform.quality.expressions import Condition

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


def empty_relation(schema: pa.Schema, columns: tuple[str, ...] | None = None) -> str:
    """FROM-able DuckDB SQL of no rows with the columns and types of a table, or some of them."""
    names = schema.names if columns is None else columns
    values = ", ".join(
        f"NULL::{duckdb_type(schema.field(name).type)} AS {quote(name)}" for name in names
    )
    return f"(SELECT {values or 'NULL'} WHERE false)"


def count_rows(condition: str) -> str:
    """DuckDB aggregate: how many rows meet a condition, 0 of none.

    Never ``FILTER``: each filtered aggregate of a query buffers the arguments of all of them, which
    takes 1.3 GB for a thousand conditions (DuckDB 2.0).
    """
    return f"coalesce(count_if({condition}), 0)"


def only_where(value: str, condition: Condition | None) -> str:
    """SQL of a value that is NULL where a condition is not met, so that aggregates leave it out."""
    return value if condition is None else f"CASE WHEN {condition.sql} THEN {value} END"


def check_condition(condition: Condition, schema: pa.Schema, where: str) -> None:
    """Refuse a condition that is none over columns of these types.

    Raises:
        ConfigError: DuckDB cannot compare or call what it says, or it is not of type BOOLEAN.
    """
    kind = bound_type(condition.sql, empty_relation(schema, condition.columns), where)
    if kind != "BOOLEAN":
        raise ConfigError(
            f"{where}: {condition.sql} is of type {kind}",
            valid="a condition, which is true or false",
            fix="compare it with something",
        )


def bound_type(expression: str, relation: str, where: str) -> str:
    """The DuckDB type of an expression over a relation.

    Raises:
        ConfigError: with what DuckDB says about it.
    """
    import duckdb

    try:
        found = _binder().cursor().execute(f"DESCRIBE SELECT {expression} FROM {relation}")
        return str(found.fetchall()[0][1])
    except duckdb.Error as error:
        why = str(error).splitlines()[0]
        raise ConfigError(
            f"{where}: {expression} does not fit the table: {why}",
            fix="cast a column (CAST(x AS type), TRY_CAST), or compare with a value of its type",
        ) from error


@cache
def _binder() -> duckdb.DuckDBPyConnection:
    """A session that only binds; each call takes a cursor, so threads can share it."""
    con = sealed()
    con.execute("SET lock_configuration = true")
    return con
