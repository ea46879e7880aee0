"""What stands in the FROM of one SELECT, which names mean it, what its rows have to pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from sqlglot import exp

from etl_platform.core.names import TableName
from etl_platform.planner.tables import cte_of, table_name
from etl_platform.planner.weakening import Typed, conjuncts

Columns: TypeAlias = Mapping[str, Typed | None]
"""Lower-case name to column; None for one that exists and about which nothing may be concluded."""
ColumnsOf: TypeAlias = Callable[[TableName], Columns | None]


@dataclass(eq=False, slots=True)
class Source:
    """One item of FROM.

    Attributes:
        columns: what it offers, None when that is not known.
        node: the name of a lake table.
        query: a derived table's SELECT.
        cte: the CTE that is named.
        nullable: an outer join may put nulls in the place of its rows.
        hidden: its columns are seen in its join only (SEMI, ANTI).
        sure: predicates that each of its rows has to pass.
        filters: predicates that each joined row has to pass.
    """

    columns: Columns | None
    node: exp.Table | None = None
    query: exp.Query | None = None
    cte: exp.CTE | None = None
    nullable: bool = False
    hidden: bool = False
    sure: list[exp.Expr] = field(default_factory=list["exp.Expr"])
    filters: list[exp.Expr] = field(default_factory=list["exp.Expr"])


def sources_of(select: exp.Select, columns_of: ColumnsOf) -> dict[str, Source] | None:
    """Sources by lower-case alias; None when the FROM has a form that nothing is concluded from."""
    from_ = select.args.get("from_")
    if not isinstance(from_, exp.From) or select.args.get("sample") or select.args.get("laterals"):
        return None
    sources: dict[str, Source] = {}
    if not _add(from_.this, sources, columns_of):
        return None
    for join in select.args.get("joins") or ():
        before = dict(sources)
        if join.args.get("method") or not _add(join.this, sources, columns_of):
            return None
        (added,) = (alias for alias in sources if alias not in before)
        if not _join(join, before, added, sources[added]):
            return None
    return sources


def resolve(column: exp.Column, alias: str, sources: Mapping[str, Source]) -> Typed | None:
    """The column of the source ``alias`` that a name means; None when it is not one of its own."""
    source, name = sources[alias], column.name.lower()
    own = source.columns
    if own is None or name not in own or isinstance(column.this, exp.Star):
        return None
    if len(column.parts) == 2:
        return own[name] if column.table.lower() == alias else None
    if len(column.parts) > 2 or source.hidden:
        return None
    owners = [s for s in sources.values() if s.columns is not None and name in s.columns]
    return own[name] if len(owners) == 1 else None


def through(
    predicates: Sequence[exp.Expr], renamed: Callable[[exp.Column], exp.Column | None]
) -> list[exp.Expr]:
    """Those predicates whose every column has another name, with those names."""
    passed: list[exp.Expr] = []
    for predicate in predicates:
        if predicate.find(exp.Query, exp.Lambda, exp.AggFunc, exp.Window) is not None:
            continue
        copy = exp.paren(predicate.copy(), copy=False)
        known = True
        for column in list(copy.find_all(exp.Column)):
            name = renamed(column)
            if name is None:
                known = False
                break
            column.replace(name)
        if known:
            passed.append(copy.this)
    return passed


def projected(select: exp.Select, name: str) -> exp.Column | None:
    """The column that an output of a SELECT is, if a condition on it may be tested before.

    Not with LIMIT or windows, which look at other rows too; with GROUP BY only for its keys.
    """
    if any(select.args.get(part) for part in ("limit", "offset", "qualify", "sample", "windows")):
        return None
    distinct = select.args.get("distinct")
    if (distinct is not None and distinct.args.get("on")) or select.find(exp.Window) is not None:
        return None
    found = [p for p in select.selects if p.alias_or_name.lower() == name]
    if len(found) > 1:
        return None
    column = found[0].unalias() if found else exp.column(name)
    if not found and not (len(select.selects) == 1 and _is_plain_star(select.selects[0])):
        return None
    if type(column) is not exp.Column or isinstance(column.this, exp.Star):
        return None
    group = select.args.get("group")
    if group is not None and (not _is_plain_group(group) or column not in group.expressions):
        return None
    return column.copy()


def group_conditions(select: exp.Select) -> list[exp.Expr]:
    """The parts of HAVING that look at keys of the groups only, so that rows can be asked first."""
    having, group = select.args.get("having"), select.args.get("group")
    if having is None or group is None or not _is_plain_group(group):
        return []
    renamed = {p.alias.lower() for p in select.selects if isinstance(p, exp.Alias)}
    return [
        part
        for part in conjuncts(having.this)
        if part.find(exp.AggFunc, exp.Query, exp.Window, exp.Anonymous) is None
        and all(
            column in group.expressions and (column.table or column.name.lower() not in renamed)
            for column in part.find_all(exp.Column)
        )
    ]


def outputs(query: exp.Expr, columns_of: ColumnsOf) -> list[str] | None:
    """Lower-case names of a query's columns in order; None when only DuckDB can tell."""
    if isinstance(query, exp.Subquery):
        return outputs(query.this, columns_of)
    if isinstance(query, exp.SetOperation):
        return None if query.args.get("by_name") else outputs(query.this, columns_of)
    if not isinstance(query, exp.Select):
        return None
    selects = query.selects
    if len(selects) == 1 and _is_plain_star(selects[0]):
        sources = sources_of(query, columns_of)
        if sources is None or len(sources) != 1:
            return None
        (source,) = sources.values()
        return None if source.columns is None else list(source.columns)
    if any(p.is_star or isinstance(p, exp.Columns) for p in selects):
        return None
    return [p.alias_or_name.lower() for p in selects]


def _add(node: exp.Expr, sources: dict[str, Source], columns_of: ColumnsOf) -> bool:
    alias = node.alias_or_name.lower()
    if any(node.args.get(part) for part in ("pivots", "sample", "joins")) or alias in sources:
        return False
    given = node.args.get("alias")
    renamed = given is not None and bool(given.args.get("columns"))
    if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
        cte = cte_of(node)
        if cte is not None:
            names = None if renamed or cte.alias_column_names else outputs(cte.this, columns_of)
            sources[alias] = Source(_named(names), cte=cte)
            return True
        table = table_name(node)
        columns = columns_of(table) if table is not None and not renamed else None
        sources[alias] = Source(columns, node=node if columns is not None else None)
    elif isinstance(node, exp.Subquery) and isinstance(node.this, exp.Query):
        names = None if renamed else outputs(node.this, columns_of)
        sources[alias] = Source(_named(names), query=node.this)
    else:
        sources[alias] = Source(None)
    return True


def _join(join: exp.Join, before: Mapping[str, Source], alias: str, added: Source) -> bool:
    """Say which predicates of a join whose rows have to pass; False for a join not understood."""
    side, kind = (str(join.args.get(part) or "").upper() for part in ("side", "kind"))
    predicates = conjuncts(join.args.get("on"))
    for name in join.args.get("using") or ():
        owners = [a for a, s in before.items() if s.columns and name.name.lower() in s.columns]
        if len(owners) == 1:
            left = exp.column(name.copy(), table=owners[0])
            predicates.append(exp.EQ(this=left, expression=exp.column(name.copy(), table=alias)))
    if kind in ("SEMI", "ANTI"):
        added.hidden = True
        side = ""
    elif kind not in ("", "INNER", "OUTER", "CROSS") or side not in ("", "LEFT", "RIGHT", "FULL"):
        return False
    if side in ("", "LEFT"):
        added.sure += predicates
    if side in ("", "RIGHT") and kind != "ANTI":
        for source in before.values():
            source.filters += predicates
    if side in ("RIGHT", "FULL"):
        for source in before.values():
            source.nullable = True
    added.nullable = side in ("LEFT", "FULL")
    return True


def _named(names: Sequence[str] | None) -> Columns | None:
    return None if names is None else {name: Typed(name, "") for name in names}


def _is_plain_star(projection: exp.Expr) -> bool:
    return isinstance(projection, exp.Star) and not any(projection.args.values())


def _is_plain_group(group: exp.Group) -> bool:
    """Whether rows are grouped by expressions only: no ROLLUP, CUBE, GROUPING SETS or ALL."""
    return not any(value for part, value in group.args.items() if part != "expressions")
