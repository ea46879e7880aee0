"""SQL as data: parse, resolve names, trace columns. Nothing here reads a row of a table."""

from __future__ import annotations

from etl_platform.planner.binding import Binder
from etl_platform.planner.columns import check_columns
from etl_platform.planner.lineage import ColumnRef, lineage, output_lineage
from etl_platform.planner.parsing import parse
from etl_platform.planner.qualification import qualify
from etl_platform.planner.tables import (
    Schema,
    check_tables,
    table_functions,
    table_references,
    tables_of,
)

__all__ = [
    "Binder",
    "ColumnRef",
    "Schema",
    "check_columns",
    "check_tables",
    "lineage",
    "output_lineage",
    "parse",
    "qualify",
    "table_functions",
    "table_references",
    "tables_of",
]
