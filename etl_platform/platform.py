"""The platform from Python, without Dagster: read, query, and put tables back.

>>> from etl_platform import Platform
>>> p = Platform.open()                          # doctest: +SKIP
>>> p.query("SELECT count(*) FROM shop.orders")  # doctest: +SKIP
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from etl_platform.core.errors import ConfigError, TransientError, UnknownName
from etl_platform.core.names import TableName

if TYPE_CHECKING:
    import polars as pl

    from etl_platform.catalog import Catalogue, Described, Filters, Hit, Indexed
    from etl_platform.catalog.related import Related
    from etl_platform.core.settings import Settings
    from etl_platform.lakehouse import Lake, Receipt, TableInfo
    from etl_platform.metastore import Metastore, PastQuery
    from etl_platform.monitoring.status import TableStatus
    from etl_platform.monitoring.troubles import Trouble
    from etl_platform.planner.advice.explanation import Explanation
    from etl_platform.planner.advice.suggestion import Suggestion
    from etl_platform.planner.lineage import LineageGraph
    from etl_platform.planner.lint import Finding
    from etl_platform.planner.plan import Plan
    from etl_platform.query import QueryTool
    from etl_platform.query.saved import SavedQueries

_log = logging.getLogger(__name__)
_OLDEST = datetime.min.replace(tzinfo=UTC)


class Platform:
    """One lake and its records. Nothing is opened or created before it is used.

    Tables are named ``schema.name``; a name alone lives in schema ``main``. Every method raises
    :class:`~etl_platform.core.errors.UnknownName` for a table that does not exist, and says which
    one is nearest.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @classmethod
    def open(cls, settings: Settings | None = None, **overrides: object) -> Platform:
        """Open the platform as the environment says (``ETL_*``).

        Args:
            settings: instead of the environment's.
            overrides: single settings, for example ``lake_uri="s3://bucket/lake"``.

        Raises:
            ConfigError: a setting has no usable value.
            UnknownName: there is no such setting.
        """
        from pydantic import ValidationError

        from etl_platform.core.settings import Settings, get_settings

        for name in overrides:
            if name not in Settings.model_fields:
                raise UnknownName("setting", name, Settings.model_fields)
        try:
            base = settings or get_settings()
            if not overrides:
                return cls(base)
            return cls(Settings.model_validate({**base.model_dump(), **overrides}))
        except ValidationError as error:
            # What was received may hold a password, so only the setting and the rule are told.
            wrong = "; ".join(f"{e['loc'][0]}: {e['msg']}" for e in error.errors())
            raise ConfigError(
                f"unusable settings: {wrong}",
                fix="correct the environment variable ETL_<NAME> or the argument",
            ) from None

    @cached_property
    def lake(self) -> Lake:
        """The tables."""
        from etl_platform.lakehouse import Lake

        return Lake(self.settings.lake_uri, self.settings)

    @cached_property
    def metastore(self) -> Metastore:
        """The records; created or migrated when first used."""
        from etl_platform.metastore import Metastore

        return Metastore.open(self.settings.metastore_url)

    def tables(self) -> list[TableInfo]:
        """What the lake holds now, quarantine tables included."""
        return self.lake.tables()

    def scan(self, table: str, version: int | None = None) -> pl.LazyFrame:
        """A table at one version (default: the newest) as a lazy frame; nothing is read yet."""
        return self.lake.scan(TableName.parse(table), version)

    def query(
        self,
        sql: str,
        params: Mapping[str, object] | Sequence[object] | None = None,
        role: str | None = None,
    ) -> pl.DataFrame:
        """Run one SELECT over one version of each table, and record it in the history.

        Args:
            sql: DuckDB's dialect.
            params: values for ``$name`` (a mapping) or ``?`` (a sequence).
            role: whose policies hold; None is the settings' ``ETL_ROLE``.

        Raises:
            QueryRefused: the text is not one SELECT that reads only tables, or the role may not
                read one of them.
            UnknownName: there is no such table or column, with the nearest one.
        """
        return self.query_tool.run(sql, params, role)

    def plan(
        self,
        sql: str,
        params: Mapping[str, object] | Sequence[object] | None = None,
        role: str | None = None,
    ) -> Plan:
        """What :meth:`query` would run: tables, versions, files left by each rule, the estimate.

        Raises: as :meth:`query`; nothing is run.
        """
        return self.query_tool.plan(sql, params, role)

    def lineage(
        self, name: str, *, up: bool = True, down: bool = True, depth: int | None = None
    ) -> LineageGraph:
        """Which columns a table's columns are computed from, and which are computed from them.

        Every table carries its own: what is told is what happened when its newest version was
        published. A column is computed from those that its expression names, also through windows,
        conditions and subqueries; what only filters, joins or groups chooses rows and does not
        count, and ``count(*)`` comes from no column.

        Args:
            name: a table of the lake or of a source (``nyc:public.flights``), or ``table.column``.
            up: what it comes from.
            down: what is made of it.
            depth: how many tables away; None is as far as it goes.

        Raises:
            PermanentError: nothing was ever published under that name.
            UnknownName: the table has no such column, with the nearest one.
        """
        from etl_platform.planner.lineage.recorded import recorded_lineage

        return recorded_lineage(self.lake, name, up=up, down=down, depth=depth)

    def explain(
        self,
        sql: str,
        params: Mapping[str, object] | Sequence[object] | None = None,
        role: str | None = None,
    ) -> Explanation:
        """:meth:`plan`, with its operators, their expected rows, and what lint finds in it.

        Raises: as :meth:`query`; nothing is run.
        """
        return self.query_tool.explain(sql, params, role)

    def lint(self, sql: str, role: str | None = None) -> tuple[Finding, ...]:
        """What in a query is probably not meant, or does more work than it has to.

        Raises: as :meth:`query`; nothing is run.
        """
        return self.explain(sql, role=role).findings

    def advise(self, limit: int = 1000, role: str | None = None) -> list[Suggestion]:
        """How tables could be laid out, and what rollups be kept, after the queries of the past.

        Where there are policies, a role's own queries are looked at.

        Args:
            limit: how many queries, newest first; those that failed or were answered from a kept
                result are left out.
            role: whose policies hold; None is the settings' ``ETL_ROLE``.
        """
        from etl_platform.query.workload import asked

        past = self.history(limit, status="ok", role=role)
        return self.query_tool.advise(asked(past), role)

    @cached_property
    def query_tool(self) -> QueryTool:
        """Queries with limits, cancelling, progress and pages; :meth:`query` is its short form."""
        from etl_platform.query import QueryTool

        return QueryTool(self.lake, self.metastore)

    @cached_property
    def saved_queries(self) -> SavedQueries:
        """Queries with names and typed parameters."""
        from etl_platform.query.saved import SavedQueries

        return SavedQueries(self.metastore.history)

    def history(
        self, limit: int = 50, *, status: str | None = None, role: str | None = None
    ) -> list[PastQuery]:
        """What was asked, newest first, refusals included.

        Where there are policies, a role sees its own queries.

        Args:
            status: only ``ok``, ``refused``, ``failed`` or ``cancelled`` ones.
            role: only those of a role.
        """
        if self.settings.policies is not None:
            role = role or self.settings.role
            if role is None:
                raise ConfigError("queries are listed by role here", fix="set ETL_ROLE")
        return self.metastore.history.newest(limit, status=status, role=role)

    def promote(self, query_id: int, description: str | None = None) -> str:
        """A query of the history as the text of a SQL model, with a contract its result meets.

        Raises:
            UnknownName: there is no query of that number.
            PermanentError: it cannot be a model, with the reason.
        """
        from etl_platform.query.parameters import replayed
        from etl_platform.query.promotion import check_promotable, model_text

        past = self.metastore.history.get(query_id)
        if past is None:
            known = [str(one.id) for one in self.metastore.history.newest(20)]
            raise UnknownName("query", str(query_id), known)
        check_promotable(past)
        return model_text(past, self.query(past.sql, replayed(past.params)), description)

    def receipts(self, table: str | None = None, limit: int | None = 50) -> list[Receipt]:
        """What commits changed, newest first, of one table or of all: from the tables' own logs."""
        names = [TableName.parse(table)] if table is not None else self.lake.names()
        found = [
            commit.receipt
            for name in names
            for commit in self.lake.history(name)
            if commit.receipt is not None
        ]
        found.sort(key=lambda r: (r.committed_at or _OLDEST, r.version_after), reverse=True)
        return found[:limit]

    def revert(self, table: str, to_version: int) -> Receipt:
        """Make an earlier version the newest one. The versions in between stay readable.

        Raises:
            PermanentError: files of that version were vacuumed.
        """
        receipt = self.lake.revert(TableName.parse(table), to_version)
        try:
            self.metastore.record_receipt(receipt.to_record(self.lake.uri))
        except TransientError as error:
            # The commit stands, and carries the receipt itself.
            _log.warning("%s is reverted, but the metastore has no record of it: %s", table, error)
        return receipt

    def status(self) -> tuple[TableStatus, ...]:
        """How every table stands: version, rows, age, last audit."""
        from etl_platform.monitoring.status import table_statuses

        return table_statuses(self.lake, self.metastore)

    def troubles(self, statuses: Sequence[TableStatus] | None = None) -> tuple[Trouble, ...]:
        """What is wrong now, since when and why, and which tables are made of it.

        Args:
            statuses: what :meth:`status` gave, where it was asked already.
        """
        from etl_platform.monitoring.troubles import troubles

        return troubles(self.lake, self.metastore, self.status() if statuses is None else statuses)

    @cached_property
    def catalogue(self) -> Catalogue:
        """What is known about every table, column, check, query and page, for :meth:`search`."""
        from etl_platform.catalog import Catalogue, embedding_of

        settings = self.settings
        embedding = embedding_of(settings.embedding, settings.embedding_key)
        return Catalogue(Path(settings.catalog_dir), embedding, settings.chroma_url)

    def search(
        self,
        text: str,
        limit: int = 10,
        *,
        filters: Filters | None = None,
        role: str | None = None,
    ) -> list[Hit]:
        """What the lake has about something, in one's own words; best first.

        Args:
            filters: what hits have to be.
            role: whose policies hold; None is the settings' ``ETL_ROLE``.

        Raises:
            ConfigError: nothing is indexed yet, or by another model.
            QueryRefused: there are policies but no such role.
        """
        from etl_platform.catalog import Search
        from etl_platform.query.visibility import reader_of

        reader = reader_of(self.settings, role)
        catalogue = self.catalogue
        return Search(catalogue.snapshot(), catalogue.embedding)(text, limit, filters, reader)

    def related(self, column: str, limit: int = 10, *, role: str | None = None) -> list[Related]:
        """Columns that a column (``schema.table.column``) can be joined with, best first: by
        meaning, type and the overlap of their profiles' values.

        Args:
            role: whose policies hold; None is the settings' ``ETL_ROLE``.

        Raises:
            UnknownName: there is no such column, it was not profiled, or the role may not see it.
            QueryRefused: there are policies but no such role.
        """
        from etl_platform.catalog.related import related
        from etl_platform.query.visibility import reader_of

        try:
            snapshot = self.catalogue.snapshot()
        except ConfigError:  # nothing is indexed: names alone say what columns mean
            snapshot = None
        reader = reader_of(self.settings, role)
        return related(self.lake, column, snapshot=snapshot, reader=reader, limit=limit)

    def index(
        self,
        tables: Sequence[str] | None = None,
        *,
        described: Mapping[str, Described] | None = None,
        docs: str | None = None,
        rebuild: bool = False,
    ) -> Indexed:
        """Bring the catalogue up to date; documents that did not change are left alone.

        Args:
            tables: only these; None is everything, saved queries and pages of the docs included.
            described: what people wrote about tables, by name.
            docs: folder of Markdown pages.
            rebuild: begin again.

        Raises:
            TransientError: another process is writing the catalogue.
            ConfigError: the model is another one and only some tables were asked for.
        """
        from itertools import chain

        from etl_platform.catalog import collect

        known = self.lake.names()
        names = known if tables is None else [TableName.parse(one) for one in tables]
        found = chain(
            collect.table_documents(self.lake, self.metastore, names, described or {}),
            collect.failure_documents(self.metastore, known, None if tables is None else names),
        )
        if tables is None:
            found = chain(
                found,
                collect.query_documents(self.metastore, names),
                collect.page_documents(Path(docs)) if docs else (),
            )
        wanted = None if tables is None else [name.sql for name in names]
        return self.catalogue.index(found, wanted, rebuild=rebuild)
