"""Which columns a statement names, and whether they can exist."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope

from etl_platform.core.errors import UnknownName
from etl_platform.planner.parsing import line_and_column, place
from etl_platform.planner.tables import Schema, table_name


def check_columns(tree: exp.Query, schema: Schema, *, where: str | None = None) -> None:
    """Refuse the first column or qualifier that cannot exist.

    Says nothing about a name that could come from a table of unknown schema, and accepts an output
    alias wherever DuckDB might (its rules for that are wide). So it never refuses what runs, and
    gives a better message than the engine's for what does not.

    Raises:
        UnknownName: with file, line, column and the nearest valid name.
    """
    wrong: list[tuple[tuple[int, int], UnknownName]] = []
    for scope in traverse_scope(tree):
        for column in scope.find_all(exp.Column):
            error = _unknown(column, scope, schema, where)
            if error is not None:
                wrong.append((line_and_column(column), error))
    if wrong:
        raise min(wrong, key=lambda found: found[0])[1]


def _unknown(
    column: exp.Column, scope: Scope, schema: Schema, where: str | None
) -> UnknownName | None:
    if _is_bound_locally(column) or column.find_ancestor(exp.Pivot) is not None:
        return None
    sources = dict(_visible(scope))
    columns = {name: _columns_of(source, schema) for name, source in sources.items()}
    qualifier = column.parts[-2].name.lower() if len(column.parts) > 1 else None
    if qualifier is None:
        return _unknown_bare(column, scope, columns, where)
    if qualifier in columns:
        known = columns[qualifier]
        if known is None or isinstance(column.this, exp.Star) or column.name.lower() in known:
            return None
        return UnknownName("column", column.name, known.values(), where=place(column.this, where))
    first = column.parts[0].name.lower()
    if first in columns or _may_exist(first, columns) or first in _aliases(scope):
        return None  # a field of a struct column, or a name with its schema
    return UnknownName(
        "table or alias", column.parts[-2].name, sources, where=place(column.parts[-2], where)
    )


def _unknown_bare(
    column: exp.Column,
    scope: Scope,
    columns: Mapping[str, Mapping[str, str] | None],
    where: str | None,
) -> UnknownName | None:
    name = column.name.lower()
    aliases = _aliases(scope)
    if isinstance(column.this, exp.Star) or _may_exist(name, columns):
        return None
    if name in columns or name in aliases or name in _KEYWORDS:
        return None
    known = {real for found in columns.values() if found for real in found.values()}
    return UnknownName(
        "column", column.name, known | set(aliases.values()), where=place(column, where)
    )


_KEYWORDS = frozenset({"all", "rowid"})


def _may_exist(name: str, columns: Mapping[str, Mapping[str, str] | None]) -> bool:
    return any(found is None or name in found for found in columns.values())


def _visible(scope: Scope) -> Iterator[tuple[str, exp.Expr | Scope]]:
    """Sources by alias, outermost first, so that inner ones win in a dict."""
    outer = scope.parent
    if outer is not None:
        # A CTE does not see its own statement's FROM, but what is around that statement.
        reachable = outer.parent if scope.is_cte else outer
        if reachable is not None:
            yield from _visible(reachable)
    for name, source in scope.sources.items():
        # A lateral subquery is a source of its own scope, without a name: it does not see itself.
        if not (scope.is_udtf and name == ""):
            yield name.lower(), source


def _aliases(scope: Scope) -> dict[str, str]:
    selects = scope.expression.selects if isinstance(scope.expression, exp.Query) else []
    return {s.alias.lower(): s.alias for s in selects if isinstance(s, exp.Alias)}


def _is_bound_locally(column: exp.Column) -> bool:
    """Whether the name is a parameter of a lambda or list comprehension around it."""
    name = column.parts[0].name.lower()
    node = column.parent
    while node is not None and not isinstance(node, exp.Query):
        if isinstance(node, exp.Lambda):
            if any(p.name.lower() == name for p in node.expressions):
                return True
        elif isinstance(node, exp.Comprehension):
            return True
        node = node.parent
    return False


def _columns_of(source: exp.Expr | Scope, schema: Schema) -> dict[str, str] | None:
    """Lower-case name to real name of what a source offers; None when that is not known."""
    if isinstance(source, Scope):
        cte = source.expression.find_ancestor(exp.CTE) if source.is_cte else None
        names = source.outer_columns or (cte.alias_column_names if cte is not None else [])
        if names:
            return _folded(names)
        lateral = source.sources.get("") if source.is_udtf else None
        return _outputs(lateral if isinstance(lateral, Scope) else source, schema)
    if not isinstance(source, exp.Table) or source.args.get("pivots") or source.alias_column_names:
        return None
    table = table_name(source) if isinstance(source.this, exp.Identifier) else None
    columns = schema.get(table) if table is not None else None
    return None if columns is None else _folded(columns)


def _outputs(scope: Scope, schema: Schema) -> dict[str, str] | None:
    expression = scope.expression
    if isinstance(expression, exp.SetOperation):
        merged: dict[str, str] = {}
        parts = scope.set_operation_scopes
        if not expression.args.get("by_name"):
            parts = parts[:1]
        for part in parts:
            found = _outputs(part, schema)
            if found is None:
                return None
            merged |= found
        return merged
    if not isinstance(expression, exp.Select):
        return None
    outputs: dict[str, str] = {}
    for projection in expression.selects:
        if isinstance(projection, exp.Columns):
            return None
        if not projection.is_star:
            outputs |= _folded([projection.alias_or_name])
            continue
        wanted = projection.table.lower() if isinstance(projection, exp.Column) else None
        for name, source in scope.sources.items():
            if wanted in (None, "", name.lower()):
                found = _columns_of(source, schema)
                if found is None:
                    return None
                outputs |= found
    return outputs


def _folded(names: Iterable[str]) -> dict[str, str]:
    return {name.lower(): name for name in names}
