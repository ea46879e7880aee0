"""A source table as asset metadata: columns, keys, comments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from etl_platform.core.inert import one_line
from etl_platform.core.names import TableName
from etl_platform.sources.database.tables import SourceTable

_DUCKDB_TYPES = {
    "bool": "BOOLEAN",
    "int8": "TINYINT",
    "int16": "SMALLINT",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "float32": "FLOAT",
    "float64": "DOUBLE",
    "string": "VARCHAR",
    "binary": "BLOB",
    "date32": "DATE",
    "timestamp[us]": "TIMESTAMP",
    "timestamp[us, UTC]": "TIMESTAMP WITH TIME ZONE",
}


def duckdb_type_text(arrow_type: str) -> str:
    """The DuckDB type of a type of :mod:`sources.database.arrow_text`, without importing Arrow.

    >>> duckdb_type_text("list<decimal(10, 2)>")
    'DECIMAL(10,2)[]'
    """
    if arrow_type.startswith("list<"):
        return duckdb_type_text(arrow_type[5:-1]) + "[]"
    if arrow_type.startswith("decimal("):
        return arrow_type.upper().replace(" ", "")
    return _DUCKDB_TYPES[arrow_type]


def column_types(
    table: SourceTable, types: Mapping[str, str], *, partitioned: bool, mark: str | None = None
) -> Mapping[str, str] | None:
    """Columns of the lake table with DuckDB types; None when a column's type is not known yet.

    Args:
        table: the source's table.
        types: declared types.
        partitioned: whether the lake's table has the column of partitions.
        mark: the column that marks deleted rows, if there is one.
    """
    found: dict[str, str] = {}
    for column in table.columns:
        arrow_type = types.get(column.name) or column.arrow_type
        if arrow_type is None:
            return None
        found[column.name] = duckdb_type_text(arrow_type)
    if mark is not None:
        found[mark] = _DUCKDB_TYPES["timestamp[us, UTC]"]
    if partitioned:
        from etl_platform.publishing.publish import PARTITION_COLUMN

        found[PARTITION_COLUMN] = "VARCHAR"
    return found


def table_metadata(table: SourceTable, targets: Mapping[str, TableName]) -> dict[str, Any]:
    """What the asset shows before it is ever materialised.

    Args:
        targets: lake table of each source table by its full name, to name foreign keys' targets.
    """
    key = set(table.primary_key)
    single = len(key) == 1
    columns = [
        dg.TableColumn(
            column.name,
            column.source_type or "any",
            description=one_line(column.comment) if column.comment else None,
            constraints=dg.TableColumnConstraints(
                nullable=column.nullable,
                unique=single and column.name in key,
                other=["primary key"] if column.name in key else None,
            ),
        )
        for column in table.columns
    ]
    references = [
        f"{', '.join(fk.columns)} → {_target(fk.referred_schema, fk.referred_table, targets)}"
        f" ({', '.join(fk.referred_columns)})"
        for fk in table.foreign_keys
    ]
    metadata: dict[str, Any] = {
        "dagster/column_schema": dg.TableSchema(
            columns=columns, constraints=dg.TableConstraints(other=references)
        ),
        "source_table": table.full_name,
    }
    if table.primary_key:
        metadata["primary_key"] = ", ".join(table.primary_key)
    if references:
        metadata["foreign_keys"] = "\n".join(references)
    return metadata


def _target(schema: str | None, name: str, targets: Mapping[str, TableName]) -> str:
    full_name = f"{schema}.{name}" if schema else name
    found = targets.get(full_name) or targets.get(name)
    return found.sql if found else full_name
