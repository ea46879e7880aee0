"""What one run reads from a table or query: all, what changed, one period, or the keys alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import dagster as dg

from etl_platform.components.database_source.options import ExtractOptions
from etl_platform.core.names import TableName
from etl_platform.sources.database.tables import SourceTable

if TYPE_CHECKING:
    from etl_platform.lakehouse import Lake
    from etl_platform.sources.database import Cursor, Extraction, TypePolicy, Window


@dataclass(frozen=True, slots=True)
class Reading:
    """A table as it is now, or a query, and how it is read.

    Args:
        table: the table in the lake.
        options: as declared.
        key: the columns by which incremental rows are recognised.
        types: what is declared of the columns that there are.
        source: the source's table; None for a query.
        query: one SELECT; None for a table.
        parameters: of the query.
    """

    table: TableName
    options: ExtractOptions
    key: tuple[str, ...]
    types: Mapping[str, str]
    source: SourceTable | None = None
    query: str | None = None
    parameters: Mapping[str, object] = field(default_factory=dict[str, object])

    def rows(
        self, context: dg.AssetExecutionContext, lake: Lake, *, everything: bool
    ) -> Extraction:
        """The run's rows; ``everything`` disregards how far earlier runs came."""
        cursor = self._cursor()
        after = None
        if cursor is not None and not everything:
            after = lake.annotation(self.table, f"watermark:{cursor.column}")
        return replace(self.everything(), cursor=cursor, after=after, window=self._window(context))

    def everything(self) -> Extraction:
        """All rows."""
        from etl_platform.sources.database import Extraction

        return Extraction(
            table=self.source if self.query is None else None,
            query=self.query,
            params=self.parameters,
            policy=type_policy(self.options),
            types=self.types,
            parallel=self.options.parallel,
        )

    def keys(self) -> Extraction:
        """The keys of all rows; a query is run whole."""
        table = self.source
        if table is None:
            return self.everything()
        return replace(
            self.everything(),
            table=replace(table, columns=tuple(table.column(name) for name in self.key)),
            types={name: kind for name, kind in self.types.items() if name in self.key},
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
        kind = self.types.get(partition.column)
        if kind is None and self.source is not None:
            kind = self.source.column(partition.column).arrow_type
        if kind == "date32":
            return Window(partition.column, start.date(), end.date())
        if kind == "timestamp[us, UTC]":
            return Window(partition.column, start, end)
        # Times without a zone are those on the wall clock of the partition's zone.
        return Window(partition.column, start.replace(tzinfo=None), end.replace(tzinfo=None))


def type_policy(options: ExtractOptions) -> TypePolicy:
    """What is declared about types without a lossless place."""
    from etl_platform.sources.database import TypePolicy

    return TypePolicy(
        unconstrained_numeric=options.unconstrained_numeric or "error",
        unsupported=options.unsupported or "error",
    )
