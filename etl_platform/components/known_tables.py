"""What tables the components of a project make, for those that read tables by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

import dagster as dg

from etl_platform.core.names import TableName

Columns = Mapping[str, str]
"""Column name to DuckDB type text."""


@dataclass(frozen=True, slots=True)
class KnownTables:
    """Tables with their columns, None where only the name is known.

    ``open_schemas`` are schemas whose tables are not all known, because the source has not been
    asked yet: any name in them may be right.
    """

    columns: Mapping[TableName, Columns | None] = field(
        default_factory=dict[TableName, "Columns | None"]
    )
    open_schemas: frozenset[str] = frozenset()

    def __or__(self, other: KnownTables) -> KnownTables:
        return KnownTables(
            {**self.columns, **other.columns}, self.open_schemas | other.open_schemas
        )


class MakesTables(ABC):
    """A component that can tell its tables without connecting to anything."""

    @abstractmethod
    def schemas(self) -> frozenset[str]:
        """The schemas that this component's tables live in."""

    @abstractmethod
    def known_tables(self, context: dg.ComponentLoadContext) -> KnownTables:
        """The tables that this component's assets fill.

        Args:
            context: of the component that asks, which belongs to the same project.
        """


def tables_for(
    context: dg.ComponentLoadContext, reader: MakesTables, wanted: set[TableName]
) -> KnownTables:
    """The tables of those components that may make the wanted ones.

    Only these are asked, since a component may have to ask others in turn. Where nobody makes a
    wanted schema, all are, so that the error can name the nearest table there is.
    """
    others = [
        component
        for component in context.component_tree.get_all_components(MakesTables)  # pyright: ignore[reportArgumentType] # any class may be asked for
        if component is not reader
    ]
    schemas = {table.schema for table in wanted} - reader.schemas()
    made = {schema for component in others for schema in component.schemas()}
    found = KnownTables()
    for component in others:
        if schemas <= made and not component.schemas() & {table.schema for table in wanted}:
            continue
        found |= component.known_tables(context)
    return found
