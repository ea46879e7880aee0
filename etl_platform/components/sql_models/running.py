"""One SQL model in a run: its inputs pinned to a version each, its rows streamed to the gate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, cast

import dagster as dg

from etl_platform.components.assets import LAKE_KEY, Event
from etl_platform.components.downstream import affected_by
from etl_platform.core.errors import PermanentError
from etl_platform.core.names import TableName
from etl_platform.core.sessions import session
from etl_platform.publishing.publish import Publication, publish, unchanged
from etl_platform.resources import LakeResource

if TYPE_CHECKING:
    import duckdb

    from etl_platform.lakehouse import Lake, Mode
    from etl_platform.lakehouse.log import Snapshot
    from etl_platform.quality import Contract
    from etl_platform.quality.profile import LevelChoice
    from etl_platform.transforms.incremental.refresh import Refresh, Subject
    from etl_platform.transforms.sql_models import Model
    from etl_platform.transforms.views import OverTables

FULL_REFRESH_TAG = "etl/full_refresh"
"""Tag of a run: ``true`` computes its models in full, whatever changed."""


@dataclass(frozen=True, slots=True)
class ModelRun:
    """A model, the contract that its rows must keep, and how much their profile says.

    Attributes:
        over: the model as it runs, once views that it reads were put in their places.
    """

    model: Model
    contract: Contract
    profile: LevelChoice = "auto"
    over: OverTables | None = None

    def run(self, context: dg.AssetExecutionContext) -> Iterator[Event]:
        """Bind the SQL over the lake as it is now, and publish what it gives.

        Raises:
            PermanentError: an input has no data yet, DuckDB refuses the SQL, or the rows are not as
                a step expects them.
        """
        from etl_platform.transforms.views import check_replaceable, over_tables

        resource = cast("LakeResource", getattr(context.resources, LAKE_KEY))
        lake = resource.lake()
        if self.model.materialization == "view":
            check_replaceable(self.model.table, lake.find(self.model.table))
        over = over_tables(self.model, lake.find)
        yield from replace(self, over=over)._run(context, resource, over)  # noqa: SLF001 # its own

    def _run(
        self, context: dg.AssetExecutionContext, resource: LakeResource, over: OverTables
    ) -> Iterator[Event]:
        from etl_platform.transforms.incremental.held import check_guards, held_before
        from etl_platform.transforms.incremental.refresh import Kind, decide

        lake = resource.lake()
        inputs = {table: self._pin(table, found) for table, found in over.inputs.items()}
        appends = self.model.materialization == "append"
        asked = context.run.tags.get(FULL_REFRESH_TAG, "").lower() == "true"
        stale = self._stale(lake)
        full = asked or appends or stale is not None
        refresh = decide(lake, self._subject(lake), inputs, full=full)
        if stale is not None and not asked:
            refresh = replace(refresh, reason=stale)
        if refresh.kind is Kind.NOTHING and refresh.current is not None:
            yield from unchanged(
                context, self.contract, refresh.current, self._mode(refresh), refresh.reason
            )
            return
        try:
            settings = resource.settings()
            Path(settings.temp_dir).mkdir(parents=True, exist_ok=True)
            with session(settings) as con, TemporaryDirectory(dir=settings.temp_dir) as folder:
                relations = {table: found.relation_sql() for table, found in inputs.items()}
                between = self._run_segments(con, over.model, relations, Path(folder))
                known = frozenset[str]() if asked else held_before(lake, over.model)
                held = check_guards(
                    con, over.model, {**relations, **between}, refresh.state.inputs, known
                )
                refresh = replace(
                    refresh,
                    relations={**refresh.relations, **between},
                    state=replace(refresh.state, held=held),
                )
                relation = refresh.rows(con)
                told = self._told(context, refresh, inputs)
                publication = self._publication(refresh, told)
                if self.model.materialization == "view":
                    yield from self._define(context, resource, relation, publication)
                elif self.model.materialization == "snapshot":
                    yield from self._keep(context, resource, con, relation, publication, refresh)
                else:
                    yield from publish(context, resource, relation, publication)
        finally:
            refresh.discard()

    def _define(
        self,
        context: dg.AssetExecutionContext,
        resource: LakeResource,
        rows: duckdb.DuckDBPyRelation,
        publication: Publication,
    ) -> Iterator[Event]:
        """Commit the SELECT instead of its rows, which are computed where a rule has to see them.

        What is declared as its columns, and that they can be read, DuckDB has said by binding it.
        """
        from etl_platform.transforms.views import view_sql

        assert publication.origin is not None
        origin = replace(publication.origin, sql=view_sql(self.model.sql, rows), view=True)
        publication = replace(publication, origin=origin, profile="off")
        judged = rows if self.contract.rules else rows.limit(0)
        yield from publish(context, resource, judged, publication)

    def _keep(
        self,
        context: dg.AssetExecutionContext,
        resource: LakeResource,
        con: duckdb.DuckDBPyConnection,
        rows: duckdb.DuckDBPyRelation,
        publication: Publication,
        refresh: Refresh,
    ) -> Iterator[Event]:
        """Publish what ended and what began since the table's newest version."""
        from etl_platform.lakehouse import Mode
        from etl_platform.transforms.incremental.state import State
        from etl_platform.transforms.incremental.versions import versions

        lake, table = resource.lake(), self.model.table
        current = lake.find(table)
        before = None if current is None else State.of(current.annotations())
        found = versions(con, lake.settings, table, self.model.key, rows, current)
        publication = replace(
            publication,
            mode=Mode.REPLACE if current is None else Mode.REPLACE_ROWS,
            schema_change="evolve",
            replaced=found.replaced,
            annotate=replace(refresh, before=before).annotate,
        )
        try:
            yield from publish(context, resource, found.rows, publication)
        finally:
            found.discard()

    def _run_segments(
        self,
        con: duckdb.DuckDBPyConnection,
        model: Model,
        relations: Mapping[TableName, str],
        folder: Path,
    ) -> dict[TableName, str]:
        from etl_platform.compute.duckdb_engine import run
        from etl_platform.transforms.segments import run_segments

        between: dict[TableName, str] = {}

        def bind(sql: str) -> duckdb.DuckDBPyRelation:
            return run(con, sql, {**relations, **between}.get)

        for segment in model.segments:
            between |= run_segments([segment], con, bind, folder)
        return between

    def _stale(self, lake: Lake) -> str | None:
        """Why someone outside of the lake has to be asked again, though no table changed."""
        from etl_platform.transforms.enrichment.asked import due

        asked = self.model.asked
        current = lake.find(self.model.table) if asked else None
        return next((why for one in asked if (why := due(one, current)) is not None), None)

    def _subject(self, lake: Lake) -> Subject:
        from etl_platform.transforms.incremental.subject import subject_of

        model = self.model if self.over is None else self.over.model
        return subject_of(model, self.contract, lake)

    def _told(
        self,
        context: dg.AssetExecutionContext,
        refresh: Refresh,
        inputs: Mapping[TableName, Snapshot],
    ) -> dict[str, dg.MetadataValue]:
        """What the run does and why, as metadata; who is affected by other logic is said first."""
        value = dg.MetadataValue
        told: dict[str, dg.MetadataValue] = {"engine": value.text("duckdb")}
        pinned = ", ".join(f"{table}@{s.version}" for table, s in inputs.items())
        if self.over is not None and self.over.views:
            views = ", ".join(f"{table}@{s.version}" for table, s in self.over.views.items())
            told["views"] = value.text(views)
        if pinned:
            told["input_versions"] = value.text(pinned)
        if self.model.asked:
            told["asked"] = value.text(", ".join(str(one.source) for one in self.model.asked))
        if self.model.materialization == "incremental" or self.model.asked:
            told["computed"] = value.text(str(refresh.kind))
            told["computed_because"] = value.text(refresh.reason)
        if refresh.logic_changed:
            affected = affected_by(context, tuple(self.model.columns or ()))
            names = "\n".join(map(str, affected)) or "none"
            context.log.warning(
                "the logic of %s changed: it is computed anew; downstream: %s",
                self.model.table,
                names.replace("\n", "; "),
            )
            told["logic_changed_downstream"] = value.text(names)
        return told

    def _pin(self, table: TableName, found: Snapshot | None) -> Snapshot:
        if found is None:
            raise PermanentError(
                f"{self.model.table} reads {table}, which has no data yet",
                fix=f"materialise {'/'.join(table.key)} first",
            )
        return found

    def _mode(self, refresh: Refresh) -> Mode:
        from etl_platform.lakehouse import Mode

        kept = self.model.materialization
        if kept == "view":
            return Mode.REPLACE
        return refresh.mode if kept in ("incremental", "snapshot") else Mode(kept)

    def _publication(self, refresh: Refresh, extra: Mapping[str, dg.MetadataValue]) -> Publication:
        from etl_platform.lakehouse import Mode, Origin

        model, mode = self.model, self._mode(refresh)
        versions = {table: pin.version for table, pin in refresh.state.inputs.items()}
        sql = model.sql
        if self.over is not None:
            sql = self.over.model.sql
            found = {**self.over.inputs, **self.over.views}
            # What the model itself names: what views read stands in their own origin.
            named = {table: found.get(table) for table in model.inputs}
            versions = {table: one.version for table, one in named.items() if one is not None}
        return Publication(
            table=model.table,
            contract=self.contract,
            mode=mode,
            key=model.key if mode is Mode.UPSERT else (),
            partition_by=model.partition_by,
            # A replaced table follows its SQL: whoever writes one writes the other.
            schema_change="any" if mode is Mode.REPLACE else "evolve",
            profile=self.profile,
            descriptions=model.column_descriptions,
            origin=Origin(
                versions,
                model.lineage or None,
                sql,
                outside=tuple(one.source for one in model.asked),
                rollup=None if model.header.rollup is None else model.header.rollup.floats,
            ),
            extra=extra,
            replaced=refresh.replaced,
            # Rows that were appended come again with each run: none is like the one before.
            annotate=None if model.materialization == "append" else refresh.annotate,
        )
