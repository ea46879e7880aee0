"""One SELECT from a person or program, over one version of each table, recorded."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from etl_platform.core.errors import EtlError, PermanentError, QueryRefused, TransientError
from etl_platform.metastore import Metastore
from etl_platform.metastore.records import QueryRecord
from etl_platform.planner.catalog import Catalog, LakeCatalog
from etl_platform.planner.columns import check_columns
from etl_platform.planner.parsing import parse
from etl_platform.planner.plan import Plan
from etl_platform.planner.planning import plan
from etl_platform.planner.refusals import message, refusal
from etl_platform.planner.tables import Schema
from etl_platform.query.audit import AuditedCatalog, AuditTable
from etl_platform.query.read_only import check_read_only
from etl_platform.query.roles import RoleCatalog, role_of
from etl_platform.query.session import confined, visible_columns

if TYPE_CHECKING:
    import duckdb
    import polars as pl

    from etl_platform.lakehouse.lake import Lake


_RECORDED = 100_000


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
        self._catalog: Catalog = LakeCatalog(lake)
        if isinstance(log, Metastore):
            self._catalog = AuditedCatalog(self._catalog, AuditTable(log.history, lake.settings))

    def run(
        self,
        sql: str,
        params: Mapping[str, object] | Sequence[object] | None = None,
        role: str | None = None,
    ) -> pl.DataFrame:
        """Run one SELECT and return all its rows.

        Every table is pinned to its newest version before anything is read: what others publish
        meanwhile is not seen. Integer sums come back as decimal(38, 0), never as floats.

        Args:
            sql: DuckDB's dialect; tables by their lake names, ``main`` being the default schema.
            params: values for ``$name`` (a mapping) or ``?`` (a sequence), bound by DuckDB.
            role: whose policies hold; None is the settings' ``ETL_ROLE``.

        Raises:
            QueryRefused: the text is not one SELECT that reads only tables, or the role may not
                read one of them, or there are policies and no role.
            UnknownName: there is no such table or column, with the nearest one.
            PermanentError: DuckDB refuses it or fails, with its reason.
            TransientError: a file of a pinned version vanished (vacuum); running again helps.
        """
        asked = role or self._lake.settings.role
        record = QueryRecord(sql=recordable(sql), role=asked, started_at=datetime.now(UTC))
        began = time.perf_counter()
        planned: Plan | None = None
        try:
            policy = role_of(self._lake.settings, role)
            check_read_only(sql)
            catalog = self._catalog if policy is None else RoleCatalog(self._catalog, policy)
            planned = plan(sql, catalog, params=params, policy=policy, role=asked)
            frame = self._execute(planned, params)
        except BaseException as error:
            status = "refused" if isinstance(error, QueryRefused) else "failed"
            text = str(error) if isinstance(error, EtlError) else type(error).__name__
            self._record(record, began, planned, {"status": status, "error": recordable(text)})
            raise
        self._record(record, began, planned, {"rows": frame.height})
        return frame

    def _execute(
        self, planned: Plan, params: Mapping[str, object] | Sequence[object] | None
    ) -> pl.DataFrame:
        import duckdb

        with confined(planned.inputs, self._lake.settings) as con:
            try:
                relation = con.sql(planned.sql, params=params)
                _check_types(relation)
                return relation.pl()
            except duckdb.Error as error:
                columns = visible_columns(con, planned.inputs)
                raise _explained(con, planned.sql, params, columns, error) from error

    def _record(
        self,
        record: QueryRecord,
        began: float,
        planned: Plan | None,
        outcome: Mapping[str, object],
    ) -> None:
        inputs = planned.inputs if planned is not None else ()
        tables = {table.table.sql: table.version for table in inputs}
        seconds = time.perf_counter() - began
        self._log.record_query(
            record.model_copy(update={"seconds": seconds, "tables": json.dumps(tables), **outcome})
        )


def recordable(text: str) -> str:
    """Text that every database keeps: broken Unicode and NUL escaped, what is very long cut."""
    plain = text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
    return plain if len(plain) <= _RECORDED else f"{plain[:_RECORDED]}... ({len(text)} characters)"


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
            check_columns(parse(sql), columns)
        except PermanentError as unknown:
            return unknown
    return refusal(con, sql, error, params=params)
