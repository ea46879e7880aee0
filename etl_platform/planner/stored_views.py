"""Views of the lake: their SELECT stands in the text wherever their name stood."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from etl_platform.core.duck import quote
from etl_platform.core.errors import PermanentError, QueryRefused
from etl_platform.core.names import DEFAULT_SCHEMA, TableName
from etl_platform.planner.parsing import parse, place
from etl_platform.planner.tables import table_name, table_references

if TYPE_CHECKING:
    from etl_platform.lakehouse.log import Snapshot

MOST = 1_000_000
"""Characters of a statement with its views: views over views can double with every level."""


@dataclass(frozen=True, slots=True)
class Expanded:
    """A statement over tables only.

    Attributes:
        sql: its text; the same one where it reads no view.
        views: each view that was read, also through another one, at the version that was taken.
        tables: what was found of the tables that it reads.
    """

    sql: str
    views: Mapping[TableName, Snapshot]
    tables: Mapping[TableName, Snapshot]


def expanded(
    sql: str,
    find: Callable[[TableName], Snapshot | None],
    *,
    path: tuple[TableName, ...] = (),
    where: str | None = None,
) -> Expanded:
    """Put the SELECT of each view in the place of its name, as ``(SELECT ...) AS name``.

    All else stays as it was written. However often a name stands there, it is looked up once.

    Args:
        sql: one SELECT in DuckDB's dialect.
        find: the newest version of a table, None where there is none.
        path: what the statement itself is to become; a view that reads it is a circle.
        where: the file of the text, for error messages.

    Raises:
        PermanentError: views read each other in a circle.
        QueryRefused: the text becomes too long.
    """
    found: dict[TableName, Snapshot | None] = {}

    def once(table: TableName) -> Snapshot | None:
        if table not in found:
            found[table] = find(table)
        return found[table]

    text = _expand(sql, once, path, where)
    known = {table: snapshot for table, snapshot in found.items() if snapshot is not None}
    return Expanded(
        text,
        {table: snapshot for table, snapshot in known.items() if snapshot.view is not None},
        {table: snapshot for table, snapshot in known.items() if snapshot.view is None},
    )


def complete(sql: str) -> str:
    """The text with a schema before every table's name: where it is put, a CTE may have the name.

    >>> complete("WITH a AS (SELECT * FROM b) SELECT * FROM a")
    'WITH a AS (SELECT * FROM main.b) SELECT * FROM a'
    """
    places: list[tuple[int, int, str]] = []
    for node in table_references(parse(sql)):
        if not node.db:
            start, _ = _span(node)
            places.append((start, start, f"{DEFAULT_SCHEMA}."))
    return _spliced(sql, places)


def _expand(
    sql: str,
    find: Callable[[TableName], Snapshot | None],
    path: tuple[TableName, ...],
    where: str | None,
) -> str:
    tree = parse(sql, where=where)
    places: list[tuple[int, int, str]] = []
    seen: set[tuple[str, str]] = set()
    for node in table_references(tree):
        table = table_name(node)
        if table is None:
            continue
        if table in path:
            circle = " -> ".join(one.sql for one in (*path[path.index(table) :], table))
            raise PermanentError(
                f"{place(node, where)}: views read each other in a circle: {circle}",
                fix="take one of these references out of its view",
            )
        snapshot = find(table)
        view = None if snapshot is None else snapshot.view
        if view is None:
            continue
        seen.add((table.schema, table.name))
        inner = _expand(view, find, (*path, table), table.sql)
        alias = "" if node.alias else f" AS {quote(node.name)}"
        # Lines of their own: a comment may end the text of the view.
        places.append((*_span(node), f"(\n{inner}\n){alias}"))
    if not places:
        return sql
    for column in tree.find_all(exp.Column):
        parts = column.parts
        if len(parts) > 2 and tuple(part.name.lower() for part in parts[-3:-1]) in seen:
            # The subquery is known by its alias alone.
            places.append((parts[-3].meta["start"], parts[-2].meta["start"], ""))
    text = _spliced(sql, places)
    if len(text) > MOST:
        raise QueryRefused(
            f"{where or 'SQL'}: with its views the statement has {len(text):,} characters",
            valid=f"at most {MOST:,}",
            fix="materialise one of the views as a table",
        )
    return text


def _span(node: exp.Table) -> tuple[int, int]:
    """Where a table's name stands in the text, alias excluded."""
    return node.parts[0].meta["start"], node.parts[-1].meta["end"] + 1


def _spliced(sql: str, places: list[tuple[int, int, str]]) -> str:
    for start, end, text in sorted(places, reverse=True):
        sql = sql[:start] + text + sql[end:]
    return sql
