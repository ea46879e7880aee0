"""One SELECT of a qualified statement: the items of its FROM, and what its rows have to pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope

from etl_platform.core.names import TableName
from etl_platform.planner.tables import table_name
from etl_platform.planner.weakening import conjuncts


@dataclass(frozen=True, slots=True)
class Item:
    """One item of FROM.

    Attributes:
        source: a table's name, the scope of a CTE or derived table, or None for anything else
            (functions, VALUES, LATERAL, UNNEST).
        node: where it stands.
        side: LEFT, RIGHT, FULL or empty, of the join that brings it.
        kind: SEMI, ANTI, CROSS or empty.
        written: whether the join is one that was written with ON, USING or as CROSS.
        on: its conditions.
    """

    alias: str
    source: TableName | Scope | None
    node: exp.Expr
    side: str = ""
    kind: str = ""
    written: bool = False
    on: tuple[exp.Expr, ...] = ()

    @property
    def table(self) -> TableName | None:
        """The lake table that the item is."""
        return self.source if isinstance(self.source, TableName) else None


@dataclass(frozen=True, slots=True)
class Block:
    """One SELECT.

    Attributes:
        items: by alias, in the order of FROM.
        where: the parts of WHERE that all have to hold.
    """

    select: exp.Select
    scope: Scope
    items: Mapping[str, Item]
    where: tuple[exp.Expr, ...]

    def conditions(self) -> Iterator[exp.Expr]:
        """The parts of WHERE and of every ON."""
        yield from self.where
        for item in self.items.values():
            yield from item.on

    def aliases(self, node: exp.Expr) -> frozenset[str]:
        """The items whose columns an expression mentions, those of inner queries left out."""
        return frozenset(c.table for c in own_columns(node) if c.table in self.items)

    def origin(self, column: exp.Column) -> tuple[TableName, str] | None:
        """The table's column that a name is, also through derived tables that only rename it."""
        item = self.items.get(column.table)
        if item is None:
            return None
        return _origin(item.source, column.name.lower())

    def is_outer(self, alias: str) -> bool:
        """Whether an outer join may put nulls in the place of an item's rows."""
        later = False
        for name, item in self.items.items():
            if name == alias:
                if item.side in ("LEFT", "FULL"):
                    return True
                later = True
            elif later and item.side in ("RIGHT", "FULL"):
                return True
        return False


def blocks(tree: exp.Query) -> list[Block]:
    """Every SELECT of a qualified statement, inner ones first."""
    return [block_of(s) for s in traverse_scope(tree) if isinstance(s.expression, exp.Select)]


def block_of(scope: Scope) -> Block:
    """The SELECT of a scope."""
    select = scope.expression
    assert isinstance(select, exp.Select)
    items: dict[str, Item] = {}
    from_ = select.args.get("from_")
    if isinstance(from_, exp.From):
        _add(items, scope, from_.this, None)
    for join in select.args.get("joins") or ():
        _add(items, scope, join.this, join)
    for lateral in select.args.get("laterals") or ():
        _add(items, scope, lateral, None)
    where = select.args.get("where")
    return Block(select, scope, items, tuple(conjuncts(where.this if where else None)))


def own_columns(node: exp.Expr) -> Iterator[exp.Column]:
    """The columns of an expression without those inside of its queries."""
    pending = [node]
    while pending:
        found = pending.pop()
        if isinstance(found, exp.Column):
            yield found
        elif not isinstance(found, exp.Query):
            pending.extend(reversed(list(found.iter_expressions())))


def _add(items: dict[str, Item], scope: Scope, node: exp.Expr, join: exp.Join | None) -> None:
    alias = node.alias_or_name
    source: TableName | Scope | None = None
    known = scope.sources.get(alias)
    plain = not any(node.args.get(part) for part in ("pivots", "sample", "joins"))
    if isinstance(known, Scope) and isinstance(node, exp.Table | exp.Subquery) and plain:
        source = known
    elif isinstance(known, exp.Table) and isinstance(known.this, exp.Identifier) and plain:
        source = table_name(known)
    if join is None:
        items[alias] = Item(alias, source, node)
        return
    kind = "ASOF" if join.args.get("method") else str(join.args.get("kind") or "").upper()
    items[alias] = Item(
        alias,
        source,
        node,
        side=str(join.args.get("side") or "").upper(),
        kind="" if kind in ("INNER", "OUTER") else kind,
        written=bool(join.args.get("on") or kind),
        on=tuple(conjuncts(join.args.get("on"))),
    )


def _origin(source: TableName | Scope | None, name: str) -> tuple[TableName, str] | None:
    if isinstance(source, TableName):
        return source, name
    if source is None or not isinstance(source.expression, exp.Select):
        return None
    for projection in source.expression.selects:
        if projection.alias_or_name.lower() == name:
            column = projection.unalias()
            if type(column) is not exp.Column:
                return None
            inner = source.sources.get(column.table)
            if isinstance(inner, exp.Table):
                table = table_name(inner) if isinstance(inner.this, exp.Identifier) else None
                return None if table is None else (table, column.name.lower())
            return _origin(inner, column.name.lower())
    return None
