"""One SELECT from a person or program: planned, run apart, kept and recorded."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Protocol

from etl_platform.core.errors import EtlError, LimitExceeded, QueryCancelled, QueryRefused
from etl_platform.metastore import Metastore
from etl_platform.metastore.records import QueryRecord
from etl_platform.planner.catalog import Catalog, LakeCatalog
from etl_platform.planner.estimation import Corrections
from etl_platform.planner.plan import Plan
from etl_platform.planner.planning import plan
from etl_platform.planner.policy import Limits
from etl_platform.query import isolation
from etl_platform.query.audit import AuditedCatalog, AuditTable
from etl_platform.query.execution import Finished, check_scanned, execute, tightest
from etl_platform.query.measurement import Measurement, measurement
from etl_platform.query.parameters import Params, recorded
from etl_platform.query.read_only import check_read_only
from etl_platform.query.results import Page, ResultStore, Stored, result_id, scope_of
from etl_platform.query.roles import Role, RoleCatalog, role_of

if TYPE_CHECKING:
    import polars as pl

    from etl_platform.lakehouse.lake import Lake
    from etl_platform.planner.advice.explanation import Explanation
    from etl_platform.planner.advice.suggestion import Asked, Suggestion

_RECORDED = 100_000


class QueryLog(Protocol):
    """Where queries are recorded; the metastore is one."""

    def record_query(self, record: QueryRecord) -> None: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query gave.

    Attributes:
        plan: what was run, with the versions of all tables.
        result: the rows.
        cached: whether the rows were computed by an earlier query.
        measured: what running it took, when it was to be analyzed.
    """

    plan: Plan
    result: Stored
    cached: bool
    measured: Measurement | None = None


class QueryTool:
    """Runs read-only SQL over a lake.

    Args:
        lake: the tables; its settings bound memory and threads of each query, and say where
            results are kept.
        log: where every query and refusal is recorded, usually the metastore.
    """

    def __init__(self, lake: Lake, log: QueryLog) -> None:
        self._lake = lake
        self._log = log
        self._catalog: Catalog = LakeCatalog(lake)
        self._corrections: Corrections | None = None
        if isinstance(log, Metastore):
            self._catalog = AuditedCatalog(self._catalog, AuditTable(log.history, lake.settings))
            self._corrections = Corrections(log.history)
        settings = lake.settings
        folder = Path(settings.results_dir or Path(settings.temp_dir) / "results")
        self._results = ResultStore(folder, settings.results_limit)

    def run(self, sql: str, params: Params = None, role: str | None = None) -> pl.DataFrame:
        """Run one SELECT and return all its rows; see :meth:`ask`."""
        return self.ask(sql, params, role).result.frame()

    def ask(
        self,
        sql: str,
        params: Params = None,
        role: str | None = None,
        *,
        limits: Limits | None = None,
        reuse: bool = True,
        cancel: Event | None = None,
        progress: Callable[[float], None] | None = None,
        analyze: bool = False,
    ) -> Answer:
        """Run one SELECT in a process of its own, or find what an equal one gave.

        Every table is pinned to its newest version before anything is read: what others publish
        meanwhile is not seen. Integer sums come back as decimal(38, 0), never as floats.

        Args:
            sql: DuckDB's dialect; tables by their lake names, ``main`` being the default schema.
            params: values for ``$name`` (a mapping) or ``?`` (a sequence), bound by DuckDB.
            role: whose policies hold; None is the settings' ``ETL_ROLE``.
            limits: the most that the query may take, within the role's and the settings' limits.
            reuse: whether a result of the same question on the same files may be given.
            cancel: stops the query when set, within a tenth of a second.
            progress: called with a share from 0 to 1, in this thread.
            analyze: run it in any case, and measure it.

        Raises:
            QueryRefused: the text is not one SELECT that reads only tables, or the role may not
                read one of them, or there are policies and no role.
            UnknownName: there is no such table or column, with the nearest one.
            LimitExceeded: it would take, or took, more than it may.
            QueryCancelled: ``cancel`` was set.
            PermanentError: DuckDB refuses it or fails, with its reason.
            TransientError: a file of a pinned version vanished (vacuum); running again helps.
        """
        asked = role or self._lake.settings.role
        record = QueryRecord(
            sql=recordable(sql),
            role=asked,
            params=recordable(recorded(params)),
            started_at=datetime.now(UTC),
        )
        began = time.perf_counter()
        planned: Plan | None = None
        try:
            isolation.prepare()
            policy = role_of(self._lake.settings, role)
            planned = self._planned(sql, params, policy, asked)
            allowed = tightest(limits, None if policy is None else policy.limits)
            check_scanned(planned, allowed)
            name = result_id(planned, _scope(policy))
            found = self._reused(name, allowed) if reuse and not analyze else None
            stored, took = found, None
            if stored is None:
                stored, took = self._computed(
                    planned, name, params, allowed, cancel, progress, analyze
                )
        except BaseException as error:
            text = str(error) if isinstance(error, EtlError) else type(error).__name__
            outcome = {"status": _status(error), "error": recordable(text)}
            self._record(record, began, planned, outcome)
            raise
        outcome = {"rows": stored.rows, "result": stored.id, "cached": found is not None}
        self._record(record, began, planned, outcome)
        measured = measurement(took, planned) if analyze and took is not None else None
        return Answer(planned, stored, found is not None, measured)

    def plan(self, sql: str, params: Params = None, role: str | None = None) -> Plan:
        """What :meth:`ask` would run, and what it would read; runs nothing and records a refusal.

        Raises: as :meth:`ask` does before it runs.
        """
        asked = role or self._lake.settings.role
        began = time.perf_counter()
        try:
            return self._planned(sql, params, role_of(self._lake.settings, role), asked)
        except QueryRefused as error:
            record = QueryRecord(
                sql=recordable(sql), role=asked, params=recordable(recorded(params))
            )
            outcome = {"status": _status(error), "error": recordable(str(error))}
            self._record(record, began, None, outcome)
            raise

    def explain(self, sql: str, params: Params = None, role: str | None = None) -> Explanation:
        """:meth:`plan`, with its operators, their expected rows, and what lint finds in it.

        Raises: as :meth:`plan`.
        """
        from etl_platform.planner.advice.explanation import explanation

        return explanation(self.plan(sql, params, role), self._catalog)

    def advise(
        self, asked: Sequence[Asked], role: str | None = None, least_runs: int = 3
    ) -> list[Suggestion]:
        """How tables could be laid out, and what rollups be kept, after queries of the past.

        Tables that a policy changes for the role are not advised on; fewer than ``least_runs`` are
        no reason for anything.

        Raises:
            QueryRefused: there are policies and no role.
        """
        from etl_platform.planner.advice.suggestions import suggestions

        policy = role_of(self._lake.settings, role)
        catalog = self._catalog if policy is None else RoleCatalog(self._catalog, policy)
        return suggestions(asked, catalog, policy, least_runs)

    def _planned(self, sql: str, params: Params, policy: Role | None, asked: str | None) -> Plan:
        check_read_only(sql)
        return plan(
            sql,
            self._catalog if policy is None else RoleCatalog(self._catalog, policy),
            params=params,
            policy=policy,
            role=asked,
            corrections=self._corrections,
        )

    def page(self, cursor: str, rows: int = 1000, role: str | None = None) -> Page:
        """The rows of an earlier answer that follow a page, whatever has been published since.

        Args:
            cursor: of the page before.
            rows: the most that are wanted.
            role: as in :meth:`ask`; the same under the same policy as when it was asked.

        Raises:
            QueryRefused: the cursor is another role's, or the role's policy has changed since;
                recorded, as every refusal is.
            PermanentError: it is no cursor, or the result is no longer kept.
        """
        began = time.perf_counter()
        try:
            return self._results.page(cursor, rows, _scope(role_of(self._lake.settings, role)))
        except QueryRefused as error:
            asked = role or self._lake.settings.role
            record = QueryRecord(sql=recordable(f"-- page {cursor}"), role=asked)
            outcome = {"status": _status(error), "error": recordable(str(error))}
            self._record(record, began, None, outcome)
            raise

    def _reused(self, name: str, allowed: Limits) -> Stored | None:
        found = self._results.find(name)
        if found is not None and allowed.rows is not None and found.rows > allowed.rows:
            raise LimitExceeded(f"the result has more than {allowed.rows:,} rows")
        return found

    def _computed(
        self,
        planned: Plan,
        name: str,
        params: Params,
        allowed: Limits,
        cancel: Event | None,
        progress: Callable[[float], None] | None,
        analyze: bool,
    ) -> tuple[Stored, Finished]:
        # The query's process reaches no network: files of a bucket have to be here before.
        self._lake.root.fetch_uris(uri for table in planned.inputs for uri in table.uris)
        part = self._results.create()
        try:
            took = execute(
                planned,
                part,
                self._lake.settings,
                params=params,
                limits=allowed,
                cancel=cancel,
                progress=progress,
                analyze=analyze,
            )
            return self._results.keep(part, name), took
        finally:
            part.unlink(missing_ok=True)

    def _record(
        self,
        record: QueryRecord,
        began: float,
        planned: Plan | None,
        outcome: Mapping[str, object],
    ) -> None:
        known: dict[str, object] = {"seconds": time.perf_counter() - began, **outcome}
        if planned is not None:
            known["tables"] = json.dumps({t.table.sql: t.version for t in planned.inputs})
            known["key"] = planned.key
            known["scanned_bytes"] = planned.size_bytes
            known["predicted_s"] = planned.estimate.seconds
        done = record.model_copy(update=known)
        self._log.record_query(done)
        if self._corrections is not None:
            self._corrections.learn(done)


def recordable(text: str) -> str:
    """Text that every database keeps: broken Unicode and NUL escaped, what is very long cut."""
    plain = text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
    return plain if len(plain) <= _RECORDED else f"{plain[:_RECORDED]}... ({len(text)} characters)"


def _scope(policy: Role | None) -> str:
    return scope_of(None, "") if policy is None else scope_of(policy.name, repr(policy))


def _status(error: BaseException) -> str:
    if isinstance(error, QueryRefused):
        return "refused"
    return "cancelled" if isinstance(error, QueryCancelled | KeyboardInterrupt) else "failed"
