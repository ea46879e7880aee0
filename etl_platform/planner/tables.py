"""Which tables a statement names, and whether they exist."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TypeAlias

from sqlglot import exp

from etl_platform.core.errors import ConfigError, UnknownName
from etl_platform.core.names import DEFAULT_SCHEMA, TableName
from etl_platform.planner.parsing import place

Schema: TypeAlias = Mapping[TableName, Mapping[str, str] | None]
"""Columns of each table in order, with DuckDB type texts; None where nobody knows them yet."""


def tables_of(tree: exp.Query, *, where: str | None = None) -> set[TableName]:
    """The lake tables that a statement reads; names of CTEs, aliases and functions are not tables.

    A name without a schema lives in ``main``. Names fold to lower case, as in DuckDB.

    Raises:
        UnknownName: a name that no lake table can have (three parts, odd characters, a file).
    """
    found: set[TableName] = set()
    for node in table_references(tree):
        table = table_name(node)
        if table is None:
            raise UnknownName("table", _written(node), (), where=place(node, where))
        found.add(table)
    return found


def check_tables(
    tree: exp.Query, known: Collection[TableName], *, where: str | None = None
) -> set[TableName]:
    """:func:`tables_of`, all of which must be known.

    Raises:
        UnknownName: with file, line, column and the nearest table.
    """
    found: set[TableName] = set()
    for node in table_references(tree):
        table = table_name(node)
        if table is None or table not in known:
            raise UnknownName(
                "table", _written(node), (t.sql for t in known), where=place(node, where)
            )
        found.add(table)
    return found


def table_references(tree: exp.Query) -> Iterator[exp.Table]:
    """Every place that names a table, wherever it stands in the tree."""
    for node in tree.find_all(exp.Table):
        if isinstance(node.this, exp.Identifier) and cte_of(node) is None:
            yield node


def table_functions(tree: exp.Query) -> Iterator[tuple[str, exp.Table]]:
    """Every call in FROM with its lower-case name, such as ``range`` or ``read_csv``."""
    for node in tree.find_all(exp.Table):
        call = node.this
        if isinstance(call, exp.Func):
            name = call.name if isinstance(call, exp.Anonymous) else call.sql_name()
            yield name.lower(), node


def table_name(node: exp.Table) -> TableName | None:
    """The lake table that a reference means, or None when no lake table can have such a name."""
    if node.catalog:
        return None
    try:
        return TableName((node.db or DEFAULT_SCHEMA).lower(), node.name.lower())
    except ConfigError:
        return None


def _written(node: exp.Table) -> str:
    return ".".join(part.name for part in node.parts)


def cte_of(table: exp.Table) -> exp.CTE | None:
    """The CTE that a name means: of its own WITH only earlier ones, of outer ones all."""
    if table.db:
        return None
    name = table.name.lower()
    child, node = table, table.parent
    while node is not None:
        with_ = node.args.get("with_")
        if with_ is not None and child is not with_:
            for cte in with_.expressions:
                if cte.alias.lower() == name:
                    return cte
        if isinstance(node, exp.With):
            for cte in node.expressions:
                if cte is child:
                    if node.recursive and cte.alias.lower() == name:
                        return cte
                    break
                if cte.alias.lower() == name:
                    return cte
        child, node = node, node.parent
    return None
