"""SQL as data: parse, resolve names, trace columns. Nothing here reads a row of a table."""

from __future__ import annotations

from etl_platform.planner.binding import Binder
from etl_platform.planner.catalog import Catalog, LakeCatalog, Rollup
from etl_platform.planner.columns import check_columns
from etl_platform.planner.lineage import ColumnRef, lineage, output_lineage
from etl_platform.planner.parsing import parse
from etl_platform.planner.plan import Applied, Estimate, Plan, TableInput
from etl_platform.planner.policy import Limits, TablePolicies
from etl_platform.planner.qualification import qualify
from etl_platform.planner.tables import (
    Schema,
    check_tables,
    table_functions,
    table_references,
    tables_of,
)

__all__ = [
    "Applied",
    "Binder",
    "Catalog",
    "ColumnRef",
    "Estimate",
    "LakeCatalog",
    "Limits",
    "Plan",
    "Rollup",
    "Schema",
    "TableInput",
    "TablePolicies",
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
