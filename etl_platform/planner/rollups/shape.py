"""A SELECT that aggregates lake tables, taken apart."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

from sqlglot import exp

from etl_platform.core.names import TableName
from etl_platform.planner.rollups.expressions import (
    AGGREGATES,
    conjuncts,
    has_aggregate,
    normal,
    text,
)
from etl_platform.planner.rollups.names import Names, add_source, table_of
from etl_platform.planner.rollups.reasons import NotUsable

_SELECT = frozenset(
    {"expressions", "from_", "joins", "where", "group", "having", "order", "limit", "offset"}
    | {"distinct"}
)


@dataclass(frozen=True, slots=True)
class Outer:
    """A LEFT JOIN: its table, and the normal conditions of ON."""

    table: TableName
    on: tuple[exp.Expr, ...]


@dataclass(frozen=True, slots=True)
class Output:
    """One column of the result: its alias, if it has one, and what it is.

    ``value`` is None for an aggregate that is not understood, where that was allowed.
    """

    alias: str
    value: exp.Expr | None

    @property
    def name(self) -> str:
        """The column's name; empty where only DuckDB can tell."""
        return self.alias or (self.value.name if isinstance(self.value, exp.Column) else "")


@dataclass(frozen=True)
class Shape:
    """An aggregation; every expression in normal form, columns by the full names of their tables.

    Attributes:
        tables: that are joined by inner joins; none stands there twice.
        outer: tables joined by LEFT JOIN, in order.
        where: conditions on single rows, those of inner joins included.
        groups: what rows are grouped by; empty for one group of all rows.
        outputs: the columns.
        having, order, limit, offset: as in the statement; an int in ``order`` is a position.
        distinct: SELECT DISTINCT.
    """

    tables: frozenset[TableName]
    outer: tuple[Outer, ...]
    where: tuple[exp.Expr, ...]
    groups: tuple[exp.Expr, ...]
    outputs: tuple[Output, ...]
    having: exp.Expr | None = None
    order: tuple[tuple[int | str | exp.Expr, exp.Ordered], ...] = ()
    limit: exp.Expr | None = None
    offset: exp.Expr | None = None
    distinct: bool = False

    @cached_property
    def columns(self) -> Mapping[str, TableName]:
        """The columns that the conditions, keys and outputs are about, with their tables."""
        every = [*self.where, *self.groups, *(o.value for o in self.outputs if o.value)]
        named = [c for one in every for c in one.find_all(exp.Column) if c.table]
        return {text(c): table_of(c) for c in named}

    @cached_property
    def keys(self) -> Mapping[str, int]:
        """Places of the outputs that rows are grouped by, by the text of what they are."""
        grouped = {text(key) for key in self.groups}
        texts = {i: text(o.value) for i, o in enumerate(self.outputs) if o.value is not None}
        return {found: i for i, found in texts.items() if found in grouped}

    @cached_property
    def measures(self) -> Mapping[str, int]:
        """Places of the outputs that are one aggregate each, by its text."""
        kinds = (*AGGREGATES, exp.Filter)
        return {text(o.value): i for i, o in enumerate(self.outputs) if isinstance(o.value, kinds)}


def aggregates(select: exp.Select) -> bool:
    """Whether a SELECT groups, at a glance."""
    if select.args.get("group") is not None:
        return True
    return any(p.find(exp.AggFunc) is not None for p in select.expressions)


def read_shape(
    select: exp.Select,
    columns_of: Callable[[TableName], Collection[str] | None],
    *,
    every_output: bool = True,
) -> Shape:
    """Take a SELECT apart.

    Args:
        select: as it was parsed; not changed.
        columns_of: lower-case names of a table's columns, None for a table that is not known.
        every_output: whether every aggregate has to be understood.

    Raises:
        NotUsable: it has a form that nothing is concluded from, with the reason.
    """
    for part, value in select.args.items():
        if value and part not in _SELECT:
            raise NotUsable(f"the statement has {part.strip('_').upper()}")
    sources: dict[str, tuple[TableName, Collection[str]]] = {}
    from_ = select.args.get("from_")
    if not isinstance(from_, exp.From):
        raise NotUsable("the statement reads no table")
    inner = [add_source(from_.this, sources, columns_of)]
    outer: list[Outer] = []
    where: list[exp.Expr] = []
    names = Names(sources, {})
    for join in select.args.get("joins") or ():
        side, kind = (str(join.args.get(part) or "").upper() for part in ("side", "kind"))
        plain = side in ("", "LEFT") and kind in ("", "INNER", "CROSS", "OUTER")
        if not plain or join.args.get("method") or join.args.get("using"):
            raise NotUsable("a join is not INNER, CROSS or LEFT JOIN with ON")
        table = add_source(join.this, sources, columns_of)
        on = join.args.get("on")
        conditions = conjuncts(None if on is None else normal(on, names.column))
        if side == "LEFT":
            outer.append(Outer(table, tuple(conditions)))
        else:
            inner.append(table)
            where += conditions
    outputs = _outputs(select, names, every_output)
    names.aliases = {o.alias.lower(): o.value for o in outputs if o.alias and o.value is not None}
    condition = select.args.get("where")
    if condition is not None:
        where += conjuncts(normal(condition.this, names.column_or_alias))
    having = select.args.get("having")
    distinct = select.args.get("distinct")
    if distinct is not None and distinct.args.get("on"):
        raise NotUsable("the statement has DISTINCT ON")
    if any(has_aggregate(part) for part in where):
        raise NotUsable("WHERE names an aggregate")
    return Shape(
        frozenset(inner),
        tuple(outer),
        tuple(where),
        _groups(select, outputs, names),
        outputs,
        None if having is None else normal(having.this, names.column_or_alias),
        _order(select, names),
        _count(select.args.get("limit"), exp.Limit),
        _count(select.args.get("offset"), exp.Offset),
        distinct is not None,
    )


def read_rollup(
    select: exp.Select, columns_of: Callable[[TableName], Collection[str] | None]
) -> Shape:
    """:func:`read_shape` of a SELECT whose rows are the groups of its tables, each of them once.

    An aggregate that is not understood is a column that answers nothing.

    Raises:
        NotUsable: it leaves groups out, adds to them, or has none.
    """
    shape = read_shape(select, columns_of, every_output=False)
    more = (shape.outer, shape.having, shape.limit, shape.offset, shape.distinct)
    if any(part not in (None, (), False) for part in more) or not shape.groups:
        raise NotUsable("its rows are not the groups of its tables")
    return shape


def _outputs(select: exp.Select, names: Names, every: bool) -> tuple[Output, ...]:
    found: list[Output] = []
    for projection in select.expressions:
        if isinstance(projection, exp.Star) or projection.is_star:
            raise NotUsable("the statement has a star")
        try:
            value = normal(projection.unalias(), names.column)
        except NotUsable:
            if every or not has_aggregate(projection):
                raise
            value = None
        alias = projection.alias if isinstance(projection, exp.Alias) else ""
        found.append(Output(alias, value))
    return tuple(found)


def _groups(select: exp.Select, outputs: tuple[Output, ...], names: Names) -> tuple[exp.Expr, ...]:
    group = select.args.get("group")
    if group is None:
        return ()
    if group.args.get("all") is True:
        plain = [o.value for o in outputs if o.value is not None and not has_aggregate(o.value)]
        return tuple({text(key): _group_key(key) for key in plain}.values())
    if any(value for part, value in group.args.items() if part != "expressions"):
        raise NotUsable("the statement has GROUPING SETS, ROLLUP or CUBE")
    found: list[exp.Expr] = []
    for node in group.expressions:
        place = _position(node)
        if place is None:
            found.append(_group_key(normal(node, names.column_or_alias)))
        else:
            value = outputs[place - 1].value if 0 < place <= len(outputs) else None
            if value is None:
                raise NotUsable(f"GROUP BY {place} is no column")
            found.append(_group_key(value))
    return tuple({text(key): key for key in found}.values())


def _group_key(node: exp.Expr) -> exp.Expr:
    if node.find(exp.Column) is None or has_aggregate(node):
        raise NotUsable(f"it groups by {text(node)}")
    return node


def _order(
    select: exp.Select, names: Names
) -> tuple[tuple[int | str | exp.Expr, exp.Ordered], ...]:
    order = select.args.get("order")
    found: list[tuple[int | str | exp.Expr, exp.Ordered]] = []
    for term in () if order is None else order.expressions:
        node = term.this
        place = _position(node)
        alias = names.aliases.get(node.name.lower()) if isinstance(node, exp.Column) else None
        if place is not None:
            found.append((place, term))
        elif isinstance(node, exp.Var) and node.name.upper() == "ALL":
            found.append(("ALL", term))
        elif alias is not None and isinstance(node, exp.Column) and not node.table:
            found.append((alias, term))
        else:
            found.append((normal(node, names.column_or_alias), term))
    return tuple(found)


def _position(node: exp.Expr) -> int | None:
    if isinstance(node, exp.Literal) and node.is_int:
        return int(node.name)
    return None


def _count(node: exp.Expr | None, kind: type[exp.Expr]) -> exp.Expr | None:
    """The number of LIMIT or OFFSET."""
    if node is None:
        return None
    number = node.args.get("expression")
    alone = not any(value for part, value in node.args.items() if part != "expression")
    known = isinstance(number, exp.Literal | exp.Placeholder | exp.Parameter)
    if type(node) is not kind or not alone or not known:
        raise NotUsable("LIMIT or OFFSET is not a number")
    return number.copy()
