"""How one table or query gets from the database to the lake, decided when definitions load."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
from etl_platform.core.errors import ConfigError
from etl_platform.core.names import TableName
from etl_platform.publishing.failures import batch_of
from etl_platform.publishing.publish import Publication, publish
from etl_platform.resources import DatabaseResource, LakeResource
from etl_platform.sources.database.tables import SourceTable

if TYPE_CHECKING:
    from etl_platform.lakehouse import Lake
    from etl_platform.quality import Contract
    from etl_platform.sources.database import Cursor, Extraction, TypePolicy, Window

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
        if options.incremental is not None:
            if not self.key:
                raise ConfigError(
                    f"{self.table} is incremental, but nothing identifies its rows",
                    valid="a primary key in the source, or incremental.key",
                    fix="set incremental.key to the columns that identify a row",
                )
            wanted = (options.incremental.cursor, *self.key)
        else:
            wanted = (options.partition.column,) if options.partition else ()
        if source is not None:
            for column in (*wanted, *(options.types or {})):
                source.column(column)

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
        """Count, extract and publish.

        An engine that fails by its own fault before anything is published is followed by the next
        one; the source's own errors end the run.

        Raises:
            TransientError, PermanentError: as the source, the lake and the gate raise them.
            NoEngine: every engine would change a value, or the pinned one would.
            EngineFault: the last engine failed too, or the pinned one did.
        """
        from etl_platform.selection import Selector, attempts
        from etl_platform.sources.database import count_rows, extract

        resource = cast("LakeResource", getattr(context.resources, LAKE_KEY))
        database = cast(
            "DatabaseResource", getattr(context.resources, self.database_key)
        ).database()
        partition = context.partition_key if context.has_partition_key else None
        extra: dict[str, dg.MetadataValue] = {}
        comparison = self._comparison(context)
        if comparison is not None:
            extra |= comparison.run(resource.lake(), database, resource.metastore())
        extraction = self._extraction(context, resource.lake())
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
        publication = self._publication(context, extra)
        mark = self._marks
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
                rows_read = attempt.watch(reader)
                yield from publish(
                    context,
                    resource,
                    rows_read if mark is None else with_mark(rows_read, mark),
                    replace(publication, outcome=partial(engine_metadata, attempt)),
                )

    def _publication(
        self, context: dg.AssetExecutionContext, extra: Mapping[str, dg.MetadataValue]
    ) -> Publication:
        from etl_platform.lakehouse import Mode

        options = self.options
        comments = (
            {c.name: c.comment for c in self.source.columns if c.comment} if self.source else {}
        )
        partition = context.partition_key if context.has_partition_key else None
        if options.partition is not None:
            mode = Mode.REPLACE_PARTITION
        elif options.incremental is None or self._replaces(context):
            mode = Mode.REPLACE
        else:
            mode = Mode.UPSERT
        return Publication(
            table=self.table,
            contract=self.contract,
            mode=mode,
            key=self.key if mode is Mode.UPSERT else (),
            partition=partition,
            watermark=options.incremental.cursor if options.incremental else None,
            schema_change=(options.schema_change or "evolve") if mode is Mode.REPLACE else "evolve",
            descriptions=comments,
            extra=extra,
        )

    def _replaces(self, context: dg.AssetExecutionContext) -> bool:
        """Whether a full refresh empties the table: not where rows are marked and kept."""
        keeps_marked = self._marks is not None and self.options.schema_change != "any"
        return _config(context, FULL_REFRESH) and not keeps_marked

    @property
    def _marks(self) -> str | None:
        return self.options.incremental.marks if self.options.incremental else None

    def _comparison(self, context: dg.AssetExecutionContext) -> KeyComparison | None:
        from etl_platform.sources.database import Extraction

        incremental = self.options.incremental
        if incremental is None or self._replaces(context):
            return None
        key = self.key
        table = self.source
        if table is not None:
            table = replace(table, columns=tuple(table.column(name) for name in key))
        types = self.options.types or {}
        keys = Extraction(
            table=table if self.query is None else None,
            query=self.query,
            params=self.parameters,
            policy=self._policy,
            types=types if table is None else {n: t for n, t in types.items() if n in key},
        )
        return KeyComparison(
            self.table,
            key,
            incremental.deletes,
            keys,
            engine=self.options.engine,
            batch=f"{batch_of(context.run, None)}/deletes",
            run_id=context.run.run_id,
            accepted=_config(context, ACCEPT_DELETES),
            forced=_config(context, FULL_REFRESH),
        )

    @property
    def _policy(self) -> TypePolicy:
        from etl_platform.sources.database import TypePolicy

        return TypePolicy(
            unconstrained_numeric=self.options.unconstrained_numeric or "error",
            unsupported=self.options.unsupported or "error",
        )

    def _extraction(self, context: dg.AssetExecutionContext, lake: Lake) -> Extraction:
        from etl_platform.sources.database import Extraction

        options = self.options
        cursor = self._cursor()
        after = None
        if cursor is not None and not _config(context, FULL_REFRESH):
            after = lake.annotation(self.table, f"watermark:{cursor.column}")
        return Extraction(
            table=self.source if self.query is None else None,
            query=self.query,
            params=self.parameters,
            cursor=cursor,
            after=after,
            window=self._window(context),
            policy=self._policy,
            types=options.types or {},
        )

    def _cursor(self) -> Cursor | None:
        from etl_platform.sources.database import Cursor

        incremental = self.options.incremental
        if incremental is None:
            return None
        return Cursor(incremental.cursor, incremental.span, self.key)

    def _window(self, context: dg.AssetExecutionContext) -> Window | None:
        from etl_platform.sources.database import Window

        partition = self.options.partition
        if partition is None:
            return None
        span = context.partition_time_window
        start, end = span.start, span.end
        kind = (self.options.types or {}).get(partition.column)
        if kind is None and self.source is not None:
            kind = self.source.column(partition.column).arrow_type
        if kind == "date32":
            return Window(partition.column, start.date(), end.date())
        if kind == "timestamp[us, UTC]":
            return Window(partition.column, start, end)
        # Times without a zone are those on the wall clock of the partition's zone.
        return Window(partition.column, start.replace(tzinfo=None), end.replace(tzinfo=None))


def _config(context: dg.AssetExecutionContext, name: str) -> bool:
    config = context.op_execution_context.op_config
    return bool(config and config.get(name))
