"""Columns, their keys and where they come from, in Dagster's own metadata types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import dagster as dg

from etl_platform.core.names import TableName
from etl_platform.publishing.budget import Entry, shorten_items

if TYPE_CHECKING:
    import pyarrow as pa

Lineage = Mapping[str, Sequence[tuple[TableName, str]]]


def columns_of(
    schema: pa.Schema, descriptions: Mapping[str, str], declared: dg.TableSchema | None = None
) -> list[dg.TableColumn]:
    """The columns of a lake table, with DuckDB's type names, which are those of the query tool.

    Args:
        declared: the columns as the asset declares them; their constraints (keys) are kept.
    """
    from etl_platform.core.types import duckdb_type

    known = {column.name: column.constraints for column in declared.columns} if declared else {}
    return [
        dg.TableColumn(
            field.name,
            duckdb_type(field.type),
            description=descriptions.get(field.name),
            constraints=known.get(field.name) or dg.TableColumnConstraints(nullable=field.nullable),
        )
        for field in schema
    ]


def schema_entry(columns: Sequence[dg.TableColumn]) -> Entry:
    """``dagster/column_schema``; of a table too wide for one event, the leading columns."""

    def make(count: int) -> dg.MetadataValue:
        return dg.MetadataValue.table_schema(dg.TableSchema(columns=list(columns[:count])))

    return Entry(make(len(columns)), shorten_items(len(columns), make))


def lineage_entry(lineage: Lineage) -> Entry:
    """``dagster/column_lineage``: for each column the columns it is computed from."""
    names = list(lineage)

    def make(count: int) -> dg.MetadataValue:
        deps = {
            name: [
                dg.TableColumnDep(asset_key=dg.AssetKey(table.key), column_name=column)
                for table, column in lineage[name]
            ]
            for name in names[:count]
        }
        return dg.MetadataValue.column_lineage(dg.TableColumnLineage(deps_by_column=deps))

    return Entry(make(len(names)), shorten_items(len(names), make))
