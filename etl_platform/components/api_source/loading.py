"""How one resource gets from the API to the lake: asked for, judged and published in one commit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

import dagster as dg

from etl_platform.components.api_source.asking import Counting, asking, parents
from etl_platform.components.api_source.children import ChildTableOf, check_children
from etl_platform.components.api_source.drift import ColumnPolicy
from etl_platform.components.api_source.metadata import extraction_metadata, not_judged
from etl_platform.components.api_source.options import ApiTableOptions
from etl_platform.components.assets import LAKE_KEY, Event
from etl_platform.components.downstream import drift_entry
from etl_platform.core.errors import SchemaMismatch
from etl_platform.core.names import TableName
from etl_platform.publishing.anomaly_checks import with_anomalies
from etl_platform.publishing.failures import batch_of
from etl_platform.publishing.publish import PARTITION_COLUMN, Publication, publish
from etl_platform.resources import ApiResource, LakeResource

if TYPE_CHECKING:
    from etl_platform.lakehouse import Lake
    from etl_platform.quality import Contract
    from etl_platform.sources.api.extraction import Extraction
    from etl_platform.sources.api.resources import Scalar
    from etl_platform.sources.api.spool import Spool

FULL_REFRESH = "full_refresh"
CURSOR_NOTE = "api:cursor"
"""Annotation of a commit: the largest cursor until then, as the API writes it."""
VALIDATOR_NOTE = "api:validator"
"""Annotation of a commit: what tells the API which answer the rows are from."""


@dataclass(frozen=True, slots=True)
class ApiTable:
    """One resource as one table, decided when definitions load.

    Attributes:
        parent: the table of the resource whose records this one is asked for.
        resume_s: seconds for which pages of a run that failed are good.
    """

    table: TableName
    options: ApiTableOptions
    contract: Contract
    api_key: str
    source_name: str
    resume_s: float
    parent: TableName | None = None
    children: Sequence[ChildTableOf] = field(default_factory=tuple[ChildTableOf, ...])

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that identify a record."""
        return tuple(self.options.primary_key or ())

    def run(self, context: dg.AssetExecutionContext) -> Iterator[Event]:
        """Ask for all pages, then publish them: lists' tables first, the resource's own last.

        Where the next run begins is part of that last commit: whatever is killed before it, the
        next run does all of this again, from the pages that were complete.

        Raises:
            SchemaMismatch: the records' columns changed, and the policy does not allow it.
            ApiUnavailable: the API did not answer until the time for it was over.
            PermanentError: as the API, the records and the gate raise them.
        """
        from etl_platform.sources.api.extraction import extract
        from etl_platform.sources.api.incremental import begin
        from etl_platform.sources.api.resources import ResourceOptions

        resource = cast("LakeResource", getattr(context.resources, LAKE_KEY))
        lake = resource.lake()
        api = cast("ApiResource", getattr(context.resources, self.api_key))
        transport = Counting(api.transport())
        ask = asking(self.options, transport, api.options().base_url, _window(context))
        declared: ResourceOptions = ask.resource
        everything = _config(context, FULL_REFRESH)
        since: Scalar | None = None
        if declared.incremental is not None:
            since = begin(declared.incremental, self._note(lake, CURSOR_NOTE, everything))
        policy = self._policy(context, everything=everything)
        spool = self._spool(context, lake)
        try:
            with extract(
                transport,
                declared,
                parents=None if self.parent is None else parents(lake, self.parent, declared),
                since=since,
                known=policy.known(lake),
                spool=spool,
                validator=self._note(lake, VALIDATOR_NOTE, everything),
                reader=ask.reader,
                requests=ask.requests,
            ) as found:
                extra = extraction_metadata(found, transport, ask, since)
                if found.unchanged:
                    yield from self._nothing(context, "not modified since the last load", extra)
                else:
                    check_children(self.table, self.children, found)
                    if everything or not self.options.incremental:
                        mode = "replace" if self.options.partition is None else "replace_partition"
                    else:
                        mode = "upsert"
                    for child in self.children:
                        yield from child.publish(
                            context, resource, found, mode, self._batch(context)
                        )
                    yield from self._own(context, resource, found, policy, mode, since, extra)
                found.discard()
        except (SchemaMismatch, dg.Failure):
            # Complete, and refused: whoever repairs the source wants it to be asked again.
            spool.remove()
            raise

    def _own(
        self,
        context: dg.AssetExecutionContext,
        resource: LakeResource,
        found: Extraction,
        policy: ColumnPolicy,
        mode: str,
        since: Scalar | None,
        extra: Mapping[str, dg.MetadataValue],
    ) -> Iterator[Event]:
        lake, own = resource.lake(), found.tables[0]
        if not own.schema.names and not lake.exists(self.table):
            yield from self._nothing(
                context, "no record yet, and no columns are declared: there is no table", extra
            )
            return
        drift = policy.check(context, lake, own.schema)
        with ExitStack() as stack:
            rows, apart = stack.enter_context(policy.rows(lake, own, drift))
            publication = self._publication(
                context,
                mode,
                since,
                notes=self._notes(found),
                apart=apart,
                extra={**extra, **drift_entry(drift)},
                columns=tuple(own.schema.names),
                follows=policy.follows,
            )
            events = publish(context, resource, rows, publication)
            if self.children:
                asset = dg.AssetKey(self.table.key)
                events = with_anomalies(context, self.table, self.options.watch, events, asset)
            yield from events

    def _publication(
        self,
        context: dg.AssetExecutionContext,
        mode: str,
        since: Scalar | None,
        *,
        notes: Mapping[str, str],
        apart: str | None,
        extra: Mapping[str, dg.MetadataValue],
        columns: tuple[str, ...],
        follows: bool,
    ) -> Publication:
        from etl_platform.lakehouse import External, Mode, Origin

        batch = None
        if mode == "upsert":
            # Another beginning is other work: a retry after it is not this again.
            batch = f"{self._batch(context)}/after {since}"
        source = External(self.source_name, self.kind, self.table.name)
        return Publication(
            table=self.table,
            contract=self.contract,
            mode=Mode(mode),
            key=self.key if mode == "upsert" else (),
            partition=context.partition_key if context.has_partition_key else None,
            schema_change="any" if follows else "evolve",
            profile=self.options.profile,
            origin=Origin(source=source, source_columns=columns),
            extra=extra,
            apart=apart,
            notes=notes,
            batch=batch,
            asset=dg.AssetKey(self.table.key),
        )

    @property
    def kind(self) -> str:
        """What the API speaks: ``rest``, ``graphql`` or ``soap``."""
        if self.options.graphql is not None:
            return "graphql"
        return "soap" if self.options.soap is not None else "rest"

    def _policy(self, context: dg.AssetExecutionContext, *, everything: bool) -> ColumnPolicy:
        partition = context.partition_key if context.has_partition_key else None
        options = self.options
        return ColumnPolicy(
            table=self.table,
            choice=options.schema_change or "evolve",
            replaces=partition is None and (everything or not options.incremental),
            key=self.key,
            own=frozenset() if partition is None else frozenset({PARTITION_COLUMN}),
            constants={} if partition is None else {PARTITION_COLUMN: partition},
        )

    def _notes(self, found: Extraction) -> dict[str, str]:
        notes: dict[str, str] = {}
        if self.options.incremental and found.cursor is not None:
            notes[CURSOR_NOTE] = found.cursor
        if found.validator is not None:
            notes[VALIDATOR_NOTE] = found.validator
        return notes

    def _nothing(
        self, context: dg.AssetExecutionContext, why: str, extra: Mapping[str, dg.MetadataValue]
    ) -> Iterator[Event]:
        """Tell that there was nothing to publish; readers keep the version they have."""
        context.log.info("%s: %s", self.table, why)
        key = dg.AssetKey(self.table.key)
        yield dg.MaterializeResult(
            asset_key=key, metadata={**extra, "unchanged": dg.MetadataValue.text(why)}
        )
        yield from not_judged(context, key)

    def _batch(self, context: dg.AssetExecutionContext) -> str:
        return batch_of(context.run, context.partition_key if context.has_partition_key else None)

    def _note(self, lake: Lake, name: str, everything: bool) -> str | None:
        """What the last commit said; nothing where all is asked for, or of one period."""
        if everything or self.options.partition is not None:
            return None
        return lake.annotation(self.table, name)

    def _spool(self, context: dg.AssetExecutionContext, lake: Lake) -> Spool:
        from etl_platform.sources.api.spool import Spool

        folder, name = Path(lake.settings.temp_dir) / "apis", f"{self.source_name}/{self.table}"
        if context.has_partition_key:
            return Spool.open(folder, f"{name}/{context.partition_key}", max_age_s=self.resume_s)
        # Pages that were published are not taken for those of the next version, when the process
        # was killed before it could remove them.
        after = lake.version(self.table) if lake.exists(self.table) else None
        return Spool.open(folder, name, state=f"version {after}", max_age_s=self.resume_s)


def _window(context: dg.AssetExecutionContext) -> tuple[datetime, datetime] | None:
    if not context.has_partition_key:
        return None
    span = context.partition_time_window
    return span.start, span.end


def _config(context: dg.AssetExecutionContext, name: str) -> bool:
    config = context.op_execution_context.op_config
    return bool(config and config.get(name))
