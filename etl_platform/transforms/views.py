"""Models that read views, and models that are views."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from etl_platform.core.duck import quote
from etl_platform.core.errors import PermanentError
from etl_platform.core.names import TableName
from etl_platform.core.types import duckdb_type, lake_type_of_duckdb
from etl_platform.lakehouse.origin import STATE
from etl_platform.planner.parsing import parse
from etl_platform.planner.stored_views import complete, expanded
from etl_platform.planner.tables import tables_of
from etl_platform.transforms.segments import BETWEEN

if TYPE_CHECKING:
    import duckdb

    from etl_platform.lakehouse.log import Snapshot
    from etl_platform.transforms.model import Model


@dataclass(frozen=True, slots=True)
class OverTables:
    """A model as it runs.

    Attributes:
        model: the same one, whose statements read tables only.
        inputs: what is read, None where there is no data yet.
        views: the views that were read on the way.
    """

    model: Model
    inputs: Mapping[TableName, Snapshot | None]
    views: Mapping[TableName, Snapshot]


def over_tables(model: Model, find: Callable[[TableName], Snapshot | None]) -> OverTables:
    """Put views in their places, so that whatever looks at the model sees which tables it reads.

    Args:
        find: the newest version of a table; asked once for each.

    Raises:
        PermanentError: views read each other, or the model, in a circle.
    """
    found: dict[TableName, Snapshot | None] = {}
    views: dict[TableName, Snapshot] = {}
    tables: set[TableName] = set()

    def once(table: TableName) -> Snapshot | None:
        if table.schema != BETWEEN and table not in found:
            found[table] = find(table)
        return found.get(table)

    def over(sql: str) -> str:
        path = (model.table,) if model.materialization == "view" else ()
        made = expanded(sql, once, path=path, where=str(model.path))
        views.update(made.views)
        if made.views:
            tables.update(tables_of(parse(made.sql)))
        return made.sql

    sql = over(model.sql)
    guards = tuple((over(text), meaning) for text, meaning in model.guards)
    segments = tuple(replace(one, sql=over(one.sql)) for one in model.segments)
    for table in model.inputs:
        once(table)
    read = {table for table in {*tables, *model.inputs} if table.schema != BETWEEN} - views.keys()
    made = model
    if views:
        inputs = tuple(sorted(read))
        made = replace(model, sql=sql, guards=guards, segments=segments, inputs=inputs)
    return OverTables(made, {table: found[table] for table in sorted(read)}, views)


def view_sql(sql: str, relation: duckdb.DuckDBPyRelation) -> str:
    """The text by which a view is read: from wherever its name stands, with the lake's types.

    Args:
        sql: one SELECT, which ``relation`` is made of.
    """
    columns: list[str] = []
    cast = False
    for name, kind in zip(relation.columns, relation.types, strict=True):
        lake = duckdb_type(lake_type_of_duckdb(kind, name))
        same = lake == str(kind)
        cast = cast or not same
        columns.append(quote(name) if same else f"CAST({quote(name)} AS {lake}) AS {quote(name)}")
    text = complete(sql)
    return f"SELECT {', '.join(columns)} FROM (\n{text}\n)" if cast else text


def check_replaceable(table: TableName, current: Snapshot | None) -> None:
    """Let a view take the name.

    Raises:
        PermanentError: there are rows under it that no model made, which would be hidden.
    """
    if current is None or current.view is not None or STATE in current.annotations():
        return
    raise PermanentError(
        f"{table} cannot become a view: there is a table of that name, which no model made",
        fix="give the view another name, or remove the table",
    )
