"""SQL over lake tables, run by DuckDB and handed over as a stream."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from etl_platform.core.duck import quote
from etl_platform.core.errors import UnknownName
from etl_platform.core.names import TableName

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


def run(
    con: duckdb.DuckDBPyConnection,
    sql: str,
    relation_of: Callable[[TableName], str | None],
    *,
    where: str | None = None,
) -> duckdb.DuckDBPyRelation:
    """Bind a SELECT over lake tables; rows are computed when the relation is read, not before.

    Each table is asked for once, so a ``relation_of`` that answers with the newest version still
    gives the whole statement one version of it.

    Args:
        con: a session of its own for this run (:func:`etl_platform.core.duck.connect`); views of
            the tables are left in it.
        sql: one SELECT in DuckDB's dialect.
        relation_of: DuckDB SQL that can stand after FROM and yields a table's rows, or None when
            there is no such table.
        where: the file that the text comes from, for error messages.

    Returns:
        A lazy relation: columns and types are known, no row is. Read it with :func:`stream`, or
        hand it to ``Lake.stage``. It lives as long as ``con``.

    Raises:
        UnknownName: ``relation_of`` knows no table of a name in the statement.
        PermanentError: the text is not one SELECT, or DuckDB refuses it, with line and column.
    """
    import duckdb

    from etl_platform.planner.parsing import parse
    from etl_platform.planner.refusals import refusal
    from etl_platform.planner.tables import tables_of

    relations: dict[TableName, str] = {}
    for table in sorted(tables_of(parse(sql, where=where), where=where)):
        relation = relation_of(table)
        if relation is None:
            raise UnknownName("table", table.sql, (), where=where)
        relations[table] = relation
    make_visible(con, relations)
    try:
        return con.sql(sql)
    except duckdb.Error as error:
        con.execute("SET errors_as_json = true")
        raise refusal(con, sql, error, where=where) from error


def make_visible(con: duckdb.DuckDBPyConnection, relations: Mapping[TableName, str]) -> None:
    """Let a session read lake tables by their names, as views over the given relations."""
    for table, relation in relations.items():
        con.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(table.schema)}")
        con.execute(
            f"CREATE OR REPLACE VIEW {quote(table.schema)}.{quote(table.name)} AS "
            f"SELECT * FROM {relation}"
        )


def stream(relation: duckdb.DuckDBPyRelation, batch_rows: int = 65_536) -> pa.RecordBatchReader:
    """Read a relation as Arrow record batches, computed while they are consumed."""
    return relation.to_arrow_reader(batch_rows)
