"""How one table or query gets from the database to the lake, decided when definitions load."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, cast

import dagster as dg

from etl_platform.components.assets import LAKE_KEY, Event
from etl_platform.components.database_source.deletes import (
    ACCEPT_DELETES,
    KeyComparison,
    with_mark,
)
from etl_platform.components.database_source.engine_metadata import engine_metadata
from etl_platform.components.database_source.engine_work import check_engine, describe_read
from etl_platform.components.database_source.options import ExtractOptions
from etl_platform.components.database_source.reading import Reading, type_policy
from etl_platform.components.database_source.resuming import (
    Prefix,
    can_resume,
    part_event,
    retry_metadata,
)
from etl_platform.components.database_source.schema_policy import SchemaPolicy
from etl_platform.core.errors import ConfigError
from etl_platform.core.names import TableName
from etl_platform.publishing.failures import batch_of
from etl_platform.publishing.publish import PARTITION_COLUMN, Publication, publish
from etl_platform.resources import DatabaseResource, LakeResource
from etl_platform.sources.database.tables import SourceTable

if TYPE_CHECKING:
    from etl_platform.components.setting_apart import SettingApart
    from etl_platform.lakehouse import Lake, Origin
    from etl_platform.quality import Contract
    from etl_platform.sources.database import Database

FULL_REFRESH = "full_refresh"


@dataclass(frozen=True, slots=True)
class Load:
    """One asset's extraction. ``source`` is the reflected table, ``query`` what is read instead."""

    table: TableName
    options: ExtractOptions
    contract: Contract
    database_key: str
    source: SourceTable | None = None
    query: str | None = None
    parameters: Mapping[str, object] = field(default_factory=dict[str, object])

    def __post_init__(self) -> None:
        options, source = self.options, self.source
        if options.engine is not None:
            check_engine(options.engine, where=str(self.table))
        if options.incremental is not None and not self.key:
            raise ConfigError(
                f"{self.table} is incremental, but nothing identifies its rows",
                valid="a primary key in the source, or incremental.key",
                fix="set incremental.key to the columns that identify a row",
            )
        if source is not None:
            for column in (*self._needed, *(options.types or {})):
                source.column(column)

    @property
    def _needed(self) -> tuple[str, ...]:
        """The columns without which nothing can be read."""
        options = self.options
        if options.incremental is not None:
            return (options.incremental.cursor, *self.key)
        return (options.partition.column,) if options.partition else ()

    @property
    def key(self) -> tuple[str, ...]:
        """The columns by which incremental rows are recognised."""
        incremental = self.options.incremental
        if incremental is None:
            return ()
        if incremental.key is not None:
            return tuple(incremental.key)
        return self.source.primary_key if self.source is not None else ()

    def run(self, context: dg.AssetExecutionContext) -> Iterator[Event]:
        """Look at the source's columns, compare keys where it is time, count, extract and publish.

        An engine that fails by its own fault before anything is published is followed by the next
        one; the source's own errors end the run.

        Raises:
            SchemaMismatch: the source's columns changed, and the policy does not allow it.
            TooManyMissing: the source lacks more rows than is allowed.
            TransientError, PermanentError: as the source, the lake and the gate raise them.
            NoEngine: every engine would change a value, or the pinned one would.
            EngineFault: the last engine failed too, or the pinned one did.
        """
        from etl_platform.selection import Selector, attempts
        from etl_platform.sources.database import count_rows, extract

        resource = cast("LakeResource", getattr(context.resources, LAKE_KEY))
        lake = resource.lake()
        database = cast(
            "DatabaseResource", getattr(context.resources, self.database_key)
        ).database()
        partition = context.partition_key if context.has_partition_key else None
        extra: dict[str, dg.MetadataValue] = {}
        reading, apart = self._followed(context, lake, database, extra)
        comparison = self._comparison(context, reading)
        if comparison is not None:
            extra |= comparison.run(lake, database, resource.metastore())
        everything = _config(context, FULL_REFRESH)
        extraction = reading.rows(context, lake, everything=everything)
        if self._resumes and not everything and can_resume(extraction, self.contract, database):
            extraction = replace(extraction, ordered=True, parallel=1)
        extra |= retry_metadata(context, lake, self.table, extraction.after)
        rows = None
        if self.options.count_source_rows is not False:
            rows = count_rows(database, extraction)
            extra["source_row_count"] = dg.MetadataValue.int(rows)
            yield dg.AssetObservation(
                asset_key=dg.AssetKey(self.table.key),
                partition=partition,
                description="Rows to read in the source",
                metadata=extra,
            )
        publication = self._publication(context, reading.source, extra)
        if publication.mode == "upsert":
            # Another watermark is other work: a retry after a part is not that part again.
            batch = f"{batch_of(context.run, None)}/after {extraction.after}"
            publication = replace(publication, batch=batch)
        work, offered = describe_read(
            database,
            extraction,
            table=self.table.sql,
            rows=rows,
            pinned=self.options.engine,
            run_id=context.run.run_id,
        )
        for attempt in attempts(Selector(resource.metastore()), work, offered):
            # The stream is closed whatever happens: unread, it would keep its connection.
            with (
                attempt,
                extract(database, extraction, engine=attempt.decision.engine) as reader,
            ):
                stream = attempt.watch(reader)
                prefix = None
                if extraction.ordered and extraction.cursor is not None:
                    prefix = Prefix(extraction.cursor.column, extraction.after)
                    stream = prefix.until_fault(stream)
                if self._marks is not None:
                    stream = with_mark(stream, self._marks)
                told = replace(
                    publication,
                    origin=self._origin(database, reading, reader.schema.names),
                    outcome=partial(engine_metadata, attempt),
                )
                with ExitStack() as splitting:
                    rows_kept: object = stream
                    if apart is not None:
                        rows_kept, rest = splitting.enter_context(apart.split(lake, stream))
                        told = replace(told, apart=rest)
                    for event in publish(context, resource, rows_kept, told):
                        # A part is no materialisation: that comes when the rest has been read.
                        if prefix is None or not prefix.fault or is_check(event):
                            yield event
                if prefix is not None and prefix.fault is not None:
                    watermark = lake.annotation(self.table, f"watermark:{prefix.column}")
                    context.log.warning(
                        "%s: the source was lost after %s rows, which are published; to go on "
                        "after %s: %s", self.table, prefix.rows, watermark, prefix.fault,
                    )  # fmt: skip
                    yield part_event(self.table, prefix, watermark)
                    raise prefix.fault

    def _followed(
        self,
        context: dg.AssetExecutionContext,
        lake: Lake,
        database: Database,
        extra: dict[str, dg.MetadataValue],
    ) -> tuple[Reading, SettingApart | None]:
        options = self.options
        reading = Reading(
            self.table, options, self.key, options.types or {}, self.source, self.query,
            self.parameters,
        )  # fmt: skip
        partition = context.partition_key if context.has_partition_key else None
        own = PARTITION_COLUMN if partition else self._marks
        policy = SchemaPolicy(
            table=self.table,
            source=self.source,
            query=reading.everything() if self.source is None else None,
            choice=options.schema_change or "evolve",
            replaces=self._mode(context) == "replace",
            needed=frozenset(self._needed),
            own=frozenset() if own is None else frozenset({own}),
            types=options.types or {},
            policy=type_policy(options),
            constants={} if partition is None else {PARTITION_COLUMN: partition},
        )
        followed = policy.follow(context, lake, database)
        extra |= followed.metadata
        return replace(reading, source=followed.source, types=followed.types), followed.apart

    def _publication(
        self,
        context: dg.AssetExecutionContext,
        source: SourceTable | None,
        extra: Mapping[str, dg.MetadataValue],
    ) -> Publication:
        from etl_platform.lakehouse import Mode

        options, mode = self.options, Mode(self._mode(context))
        follows = mode is Mode.REPLACE and options.schema_change == "any"
        comments = {c.name: c.comment for c in source.columns if c.comment} if source else {}
        return Publication(
            table=self.table,
            contract=self.contract,
            mode=mode,
            key=self.key if mode is Mode.UPSERT else (),
            partition=context.partition_key if context.has_partition_key else None,
            watermark=options.incremental.cursor if options.incremental else None,
            schema_change="any" if follows else "evolve",
            profile=options.profile,
            descriptions=comments,
            extra=extra,
        )

    def _origin(self, database: Database, reading: Reading, columns: Sequence[str]) -> Origin:
        from etl_platform.lakehouse import External, Origin

        table = reading.source
        name = f"query {self.table.name}" if table is None else table.full_name
        source = External(database.name, database.dialect.name, name)
        return Origin(source=source, source_columns=tuple(columns))

    def _mode(self, context: dg.AssetExecutionContext) -> str:
        """How the rows meet those there are. A full refresh does not empty a table whose deleted
        rows are marked and kept, unless it may take any columns."""
        options = self.options
        if options.partition is not None:
            return "replace_partition"
        if options.incremental is None:
            return "replace"
        keeps = self._marks is not None and options.schema_change != "any"
        return "replace" if _config(context, FULL_REFRESH) and not keeps else "upsert"

    def _comparison(
        self, context: dg.AssetExecutionContext, reading: Reading
    ) -> KeyComparison | None:
        incremental = self.options.incremental
        if incremental is None or self._mode(context) == "replace":
            return None
        return KeyComparison(
            self.table,
            self.key,
            incremental.deletes,
            reading.keys(),
            engine=self.options.engine,
            batch=f"{batch_of(context.run, None)}/deletes",
            run_id=context.run.run_id,
            accepted=_config(context, ACCEPT_DELETES),
            forced=_config(context, FULL_REFRESH),
        )

    @property
    def _resumes(self) -> bool:
        return self.options.incremental is not None and self.options.incremental.resume

    @property
    def _marks(self) -> str | None:
        return self.options.incremental.marks if self.options.incremental else None


def is_check(event: Event) -> bool:
    """Whether it tells about a rule, which a part may break too."""
    return isinstance(event, dg.AssetCheckResult)


def _config(context: dg.AssetExecutionContext, name: str) -> bool:
    config = context.op_execution_context.op_config
    return bool(config and config.get(name))
