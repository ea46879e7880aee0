"""Groups, windows and DISTINCT: rows meet in one value, but only rows that share some values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlglot import exp

from etl_platform.transforms.incremental.functions import aggregates, arbitrary, positional


def limits_of(tree: exp.Select) -> tuple[list[list[exp.Expr]] | None, str]:
    """What output columns may be made of to keep their meaning, once for each group or window.

    None where rows far apart meet in one value.
    """
    limits: list[list[exp.Expr]] = []
    why = ""
    parts = [*tree.expressions, *(tree.args.get(p) for p in ("having", "qualify", "order"))]
    calls = [call for part in parts if part is not None for call in _calls(part)]
    grouped = tree.args.get("group")
    if grouped is not None or any(aggregates(c) and not _windowed(c) for c in calls):
        for call in calls:
            if not _windowed(call) and arbitrary(call):
                return None, f"{call.sql(dialect='duckdb')} depends on the order of rows"
        keys = _group_keys(tree, grouped)
        if keys is None:
            return None, "an aggregation over all rows, or with grouping sets"
        limits.append(keys)
        why = "GROUP BY"
    for window in (w for part in parts if part is not None for w in _windows(part)):
        found = _named(window, tree)
        partition: list[exp.Expr] = found.args.get("partition_by") or []
        shown = window.sql(dialect="duckdb")
        if not partition:
            return None, f"{shown} has no PARTITION BY"
        if found.args.get("order") is None and positional(window.this):
            return None, f"{shown} has no ORDER BY"
        if _arbitrary_window(window, found):
            return None, f"{shown} depends on the order of rows"
        limits.append(_clear(partition, tree))
        why = why or "a window"
    distinct = tree.args.get("distinct")
    if distinct is not None:
        why = why or "DISTINCT"
        on = distinct.args.get("on")
        if on is not None:
            if tree.args.get("order") is None:
                return None, "DISTINCT ON has no ORDER BY"
            limits.append(_clear([_aliased(e, tree) for e in _listed(on)], tree))
    return limits, why


def _arbitrary_window(window: exp.Window, found: exp.Window) -> bool:
    """Whether a windowed aggregate depends on an order that is not given."""
    call = window.this
    return found.args.get("order") is None and isinstance(call, exp.Func) and arbitrary(call)


def _group_keys(tree: exp.Select, group: exp.Group | None) -> list[exp.Expr] | None:
    if group is None:
        return None
    if any(group.args.get(kind) for kind in ("grouping_sets", "cube", "rollup", "totals")):
        return None
    if group.args.get("all"):
        return [p.unalias() for p in tree.selects if not any(map(aggregates, _calls(p)))]
    return [*group.expressions] or None


def _clear(keys: Sequence[exp.Expr], tree: exp.Select) -> list[exp.Expr]:
    """Without keys of which two readings are possible: a column whose name is another output's."""
    outputs = {p.alias.lower(): p.unalias() for p in tree.selects if isinstance(p, exp.Alias)}

    def hidden(column: exp.Column) -> bool:
        output = outputs.get(column.name.lower())
        return output is not None and output != column and column.name != ""

    return [key for key in keys if not any(hidden(column) for column in key.find_all(exp.Column))]


def made_of(value: exp.Expr, keys: Sequence[exp.Expr]) -> bool:
    """Whether a value is computed from nothing but keys (and constants)."""
    if any(value == key for key in keys):
        return True
    if isinstance(value, exp.Column | exp.Query | exp.Window):
        return False
    return all(made_of(child, keys) for child in value.iter_expressions())


def _calls(part: exp.Expr) -> Iterator[exp.Func]:
    for node in part.walk(prune=lambda n: isinstance(n, exp.Query)):
        if isinstance(node, exp.Func) and not isinstance(node, exp.Query):
            yield node


def _windows(part: exp.Expr) -> Iterator[exp.Window]:
    for node in part.walk(prune=lambda n: isinstance(n, exp.Query)):
        if isinstance(node, exp.Window):
            yield node


def _windowed(call: exp.Func) -> bool:
    node: exp.Expr = call
    parent = node.parent
    while isinstance(parent, exp.IgnoreNulls | exp.RespectNulls | exp.Filter | exp.WithinGroup):
        node, parent = parent, parent.parent
    return isinstance(parent, exp.Window) and parent.this is node


def _named(window: exp.Window, tree: exp.Select) -> exp.Window:
    """The window itself, or the definition in the WINDOW clause that it refers to."""
    if not window.alias or window.args.get("partition_by"):
        return window
    for defined in tree.args.get("windows") or []:
        if defined.name.lower() == window.alias.lower():
            return defined
    return window


def _listed(on: exp.Expr) -> list[exp.Expr]:
    return [*on.expressions] if isinstance(on, exp.Tuple) else [on]


def _aliased(key: exp.Expr, tree: exp.Select) -> exp.Expr:
    """What a bare name means in DISTINCT ON: the output of that name."""
    if isinstance(key, exp.Column) and not key.table:
        for projection in tree.selects:
            if projection.alias_or_name.lower() == key.name.lower():
                return projection.unalias()
    return key
