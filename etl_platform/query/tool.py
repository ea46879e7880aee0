"""One SELECT from a person or program, over one version of each table, recorded."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from sqlglot import exp

from etl_platform.core.errors import EtlError, PermanentError, QueryRefused, TransientError
from etl_platform.core.names import TableName
from etl_platform.metastore.records import QueryRecord
from etl_platform.planner.columns import check_columns
from etl_platform.planner.parsing import parse
from etl_platform.planner.refusals import message, refusal
from etl_platform.planner.tables import Schema, check_tables
from etl_platform.query.read_only import check_read_only
from etl_platform.query.session import confined

if TYPE_CHECKING:
    import duckdb
    import polars as pl

    from etl_platform.lakehouse.lake import Lake
    from etl_platform.lakehouse.log import Snapshot


class QueryLog(Protocol):
    """Where queries are recorded; the metastore is one."""

    def record_query(self, record: QueryRecord) -> None: ...


class QueryTool:
    """Runs read-only SQL over a lake.

    Args:
        lake: the tables; its settings bound memory and threads of each query.
        log: where every query and refusal is recorded, usually the metastore.
    """

    def __init__(self, lake: Lake, log: QueryLog) -> None:
        self._lake = lake
        self._log = log

    def run(
        self, sql: str, params: Mapping[str, object] | Sequence[object] | None = None
    ) -> pl.DataFrame:
        """Run one SELECT and return all its rows.

        Every table is pinned to its newest version before anything is read: what others publish
        meanwhile is not seen. Integer sums come back as decimal(38, 0), never as floats.

        Args:
            sql: DuckDB's dialect; tables by their lake names, ``main`` being the default schema.
            params: values for ``$name`` (a mapping) or ``?`` (a sequence), bound by DuckDB.

        Raises:
            QueryRefused: the text is not one SELECT that reads only tables.
            UnknownName: there is no such table or column, with the nearest one.
            PermanentError: DuckDB refuses it or fails, with its reason.
            TransientError: a file of a pinned version vanished (vacuum); running again helps.
        """
        record = QueryRecord(sql=sql, started_at=datetime.now(UTC))
        began = time.perf_counter()
        snapshots: dict[TableName, Snapshot] = {}
        try:
            frame = self._run(sql, params, snapshots)
        except BaseException as error:
            status = "refused" if isinstance(error, QueryRefused) else "failed"
            text = str(error) if isinstance(error, EtlError) else type(error).__name__
            self._record(record, began, snapshots, {"status": status, "error": text})
            raise
        self._record(record, began, snapshots, {"rows": frame.height})
        return frame

    def _run(
        self,
        sql: str,
        params: Mapping[str, object] | Sequence[object] | None,
        snapshots: dict[TableName, Snapshot],
    ) -> pl.DataFrame:
        import duckdb

        check_read_only(sql)
        tree = parse(sql)
        for table in sorted(check_tables(tree, self._lake.names())):
            snapshots[table] = self._lake.snapshot(table)
        with confined(snapshots, self._lake.settings) as con:
            try:
                relation = con.sql(sql, params=params)
                _check_types(relation)
                return relation.pl()
            except duckdb.Error as error:
                columns = {t: dict.fromkeys(s.schema.names, "") for t, s in snapshots.items()}
                raise _explained(con, sql, params, tree, columns, error) from error

    def _record(
        self,
        record: QueryRecord,
        began: float,
        snapshots: Mapping[TableName, Snapshot],
        outcome: Mapping[str, object],
    ) -> None:
        tables = {table.sql: snapshot.version for table, snapshot in snapshots.items()}
        seconds = time.perf_counter() - began
        self._log.record_query(
            record.model_copy(update={"seconds": seconds, "tables": json.dumps(tables), **outcome})
        )


def _check_types(relation: duckdb.DuckDBPyRelation) -> None:
    for name, kind in zip(relation.columns, relation.types, strict=True):
        if str(kind) == "INTERVAL":
            raise PermanentError(
                f"column {name!r} is an INTERVAL, which a Polars frame cannot hold",
                fix="cast it to VARCHAR, or take its seconds with epoch(...)",
            )


def _explained(
    con: duckdb.DuckDBPyConnection,
    sql: str,
    params: object,
    tree: exp.Query,
    columns: Schema,
    error: duckdb.Error,
) -> EtlError:
    import duckdb

    if isinstance(error, duckdb.OutOfMemoryException):
        return PermanentError(
            f"the query needs more memory than it may use: {message(error).splitlines()[0]}",
            fix="filter or aggregate earlier, or raise ETL_MEMORY_LIMIT",
        )
    if isinstance(error, duckdb.IOException):
        return TransientError(
            f"a file could not be read: {message(error)}", fix="run the query again"
        )
    if isinstance(error, duckdb.BinderException):
        try:
            check_columns(tree, columns)
        except PermanentError as unknown:
            return unknown
    return refusal(con, sql, error, params=params)
