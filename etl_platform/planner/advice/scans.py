"""What reading a table hands on, and what is known of its columns."""

from __future__ import annotations

from etl_platform.planner.advice.knowledge import TableKnowledge
from etl_platform.planner.advice.operators import Operator, Rows
from etl_platform.planner.advice.values import Values, of_bounds, of_profile


def scan(table: TableKnowledge, alias: str) -> Rows:
    """The rows of a table. They count as all of its version, its operator tells those of the files.

    A profile tells of all rows, so the share of a filter is one of all rows too.
    """
    name = table.name.sql
    shown_as = f"{name if alias == table.name.name else f'{name} {alias}'} version {table.version}"
    if table.withheld:
        operator = Operator("scan", f"{shown_as}, through a policy", None, (name,))
        return Rows(operator, 1000.0, {}, known=False)
    columns: dict[tuple[str, str], Values] = {}
    for column in table.columns:
        found = table.profile_of(column)
        if found is not None:
            columns[alias, column] = of_profile(found, table.profile.rows if table.profile else 0)
        else:
            columns[alias, column] = of_bounds(table.bounds(column))
    told = (
        f"{shown_as}: {table.files_read} of {table.files_total} files, {table.rows_read:,} of "
        f"{table.rows or 0:,} rows"
    )
    operator = Operator("scan", told, table.rows_read, (name,))
    return Rows(operator, float(table.rows or 0), columns)
