"""When two texts compute the same: a comment, the format and names of aliases are no change."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp
from sqlglot.optimizer.scope import traverse_scope

from etl_platform.core.errors import PermanentError
from etl_platform.planner.parsing import parse
from etl_platform.planner.qualification import qualify
from etl_platform.planner.tables import Schema, table_name, table_references
from etl_platform.transforms.incremental.state import digest

_CLAUSES = (exp.Where, exp.Having, exp.Qualify, exp.Join, exp.Alias, exp.Select, exp.Paren)
"""Around which parentheses mean nothing."""


def qualified(sql: str, schema: Schema) -> exp.Query | None:
    """The tree of a text with all names complete; None when only DuckDB can complete them."""
    try:
        return qualify(parse(sql), schema)
    except PermanentError:
        return None


def logic(tree: exp.Query, schema: Schema) -> str:
    """A digest that two texts share if they compute the same of the same tables.

    It counts which columns of the inputs are read and their types: a star over an input that has
    got a column is another query, and so is a sum over a column that has become wider.

    Args:
        tree: qualified; not changed.
        schema: columns of the inputs as they are now.
    """
    plain = _with_plain_names(tree)
    return digest(plain.sql(dialect="duckdb", comments=False), _types(tree, schema))


def columns_read(tree: exp.Query, schema: Schema) -> Mapping[str, tuple[str, ...]]:
    """By input (``schema.name``) the columns whose values the tree may look at, in order.

    All of those whose names occur anywhere: more than needed is safe. All of a table of which none
    is named, since its number of rows can matter.
    """
    # Every identifier counts: a column that holds structs is written like a table.
    names = {identifier.name.lower() for identifier in tree.find_all(exp.Identifier)}
    sources = {table.alias_or_name.lower() for table in tree.find_all(exp.Table)}
    bare = {c.name.lower() for c in tree.find_all(exp.Column) if not c.table}
    stars = [star for star in tree.find_all(exp.Star) if not isinstance(star.parent, exp.Count)]
    whole = stars or tree.find(exp.TableColumn, exp.Columns) is not None or bare & sources
    found: dict[str, tuple[str, ...]] = {}
    for node in table_references(tree):
        table = table_name(node)
        columns = schema.get(table) if table is not None else None
        if table is None or columns is None:
            continue
        read = tuple(name for name in columns if name.lower() in names)
        found[table.sql] = tuple(columns) if whole or not read else read
    return found


def _types(tree: exp.Query, schema: Schema) -> list[tuple[str, str, str]]:
    read = columns_read(tree, schema)
    kinds = {table.sql: columns or {} for table, columns in schema.items()}
    return sorted((t, name, kinds[t][name]) for t, names in read.items() for name in names)


def _with_plain_names(tree: exp.Query) -> exp.Query:
    """A copy in which sources are named by their order. Names of outputs stay: they are results."""
    copy = tree.copy()
    number = 0
    ctes: dict[int, str] = {}
    for cte in copy.find_all(exp.CTE):
        ctes[id(cte.this)] = f"_c{len(ctes)}"
    renames: list[tuple[exp.Expr, str]] = []
    for scope in traverse_scope(copy):
        own: dict[str, str] = {}
        for alias, (node, source) in scope.selected_sources.items():
            own[alias] = f"_{number}"
            number += 1
            renames.append((node, own[alias]))
            inner = getattr(source, "expression", None)
            if isinstance(node, exp.Table) and id(inner) in ctes:
                node.set("this", exp.to_identifier(ctes[id(inner)]))
        for column in scope.columns:
            if column.table in own:
                column.set("table", exp.to_identifier(own[column.table]))
    for node, name in renames:
        alias = node.args.get("alias")
        if isinstance(alias, exp.TableAlias):
            alias.set("this", exp.to_identifier(name))
    for cte in copy.find_all(exp.CTE):
        alias = cte.args["alias"]
        alias.set("this", exp.to_identifier(ctes[id(cte.this)]))
    for paren in [*copy.find_all(exp.Paren)]:
        if isinstance(paren.parent, _CLAUSES):
            paren.replace(paren.this)
    return copy
