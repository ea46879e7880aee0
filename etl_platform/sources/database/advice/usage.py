"""What a statement asks of each table: which columns are compared, and which are read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope

from etl_platform.sources.database.advice.model import Key, Table

if TYPE_CHECKING:
    from etl_platform.sources.database.advice.catalogue import Catalogue
    from etl_platform.sources.database.advice.model import Statement
    from etl_platform.sources.database.advice.quoting import Quoting

_T = TypeVar("_T")
_RANGES = (exp.GT, exp.GTE, exp.LT, exp.LTE)
_LITERAL = (exp.EQ, exp.NEQ, *_RANGES, exp.In, exp.Between, exp.Like, exp.Is, exp.Not, exp.Or,
            exp.And, exp.Paren, exp.Column, exp.Identifier, exp.Literal, exp.Null, exp.Neg,
            exp.Boolean)  # fmt: skip
_MIRROR = (exp.EQ, *_RANGES, exp.NullSafeEQ)


@dataclass
class Usage:
    """One use of a table by one statement (a table named twice has two).

    ``equal`` are compared with values, ``joined`` with columns of other tables, ``ranges`` with a
    bound; ``either`` stand below an OR; ``ordered`` is the leading order of the result where one
    index could give it; ``read`` are all columns that the statement touches; ``literal`` are
    conditions that compare one column with literals, as (column, SQL that names only the column).
    """

    table: Table
    alias: str
    equal: list[Key] = field(default_factory=list[Key])
    joined: list[Key] = field(default_factory=list[Key])
    ranges: list[Key] = field(default_factory=list[Key])
    either: list[Key] = field(default_factory=list[Key])
    ordered: list[Key] = field(default_factory=list[Key])
    read: list[Key] = field(default_factory=list[Key])
    literal: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


def usages(statement: Statement, catalogue: Catalogue, quoting: Quoting) -> list[Usage]:
    """Every use of a known table, the innermost query first. Names are resolved as the database
    does; what does not resolve is left out, because the database has the last word."""
    found: list[Usage] = []
    for scope in traverse_scope(statement.tree):
        found.extend(_Reading(scope, catalogue, quoting).usages())
    return found


def real_tables(statement: Statement) -> list[exp.Table]:
    """Where the statement names tables or views, and not what a WITH gives."""
    found = {
        id(source): source
        for scope in traverse_scope(statement.tree)
        for source in scope.sources.values()
        if isinstance(source, exp.Table)
    }
    return list(found.values())


class _Reading:
    """One SELECT of a statement."""

    def __init__(self, scope: Scope, catalogue: Catalogue, quoting: Quoting) -> None:
        self._scope, self._catalogue, self._quoting = scope, catalogue, quoting
        self._uses = {
            (alias := catalogue.name(_alias(source))): Usage(table, alias)
            for source in scope.sources.values()
            if isinstance(source, exp.Table) and (table := catalogue.table(source)) is not None
        }

    def usages(self) -> list[Usage]:
        if not self._uses or not isinstance(self._scope.expression, exp.Select):
            return []
        select = self._scope.expression
        for column in self._scope.columns:
            if (found := self._resolve(column)) is not None:
                _add(found[0].read, self._quoting.key(found[1]))
        for star in select.expressions:
            if isinstance(star, exp.Star) or (
                isinstance(star, exp.Column) and isinstance(star.this, exp.Star)
            ):
                for use in self._uses.values():
                    use.read = [self._quoting.key(name) for name in use.table.columns]
        for condition in self._conditions(select):
            self._condition(condition)
        self._order(select)
        return list(self._uses.values())

    def _conditions(self, select: exp.Select) -> Iterator[exp.Expr]:
        where = select.args.get("where")
        if where is not None:
            yield from _conjuncts(where.this)
        for join in select.args.get("joins") or ():
            if (on := join.args.get("on")) is not None:
                yield from _conjuncts(on)
            for shared in join.args.get("using") or ():
                self._using(shared)

    def _using(self, shared: exp.Expr) -> None:
        column = shared if isinstance(shared, exp.Column) else exp.Column(this=shared)
        for use in self._uses.values():
            name = self._catalogue.column(use.table, column)
            if name is not None:
                _add(use.joined, self._quoting.key(name))
                _add(use.read, self._quoting.key(name))

    def _condition(self, condition: exp.Expr) -> None:
        self._literal(condition)
        if isinstance(condition, exp.Or):
            for branch in _branches(condition):
                for part in _conjuncts(branch):
                    for use, key, _ in self._comparisons(part):
                        _add(use.either, key)
            return
        for use, key, kind in self._comparisons(condition):
            _add({"equal": use.equal, "joined": use.joined, "range": use.ranges}[kind], key)

    def _literal(self, condition: exp.Expr) -> None:
        found = [self._resolve(column) for column in condition.find_all(exp.Column)]
        first = found[0] if found else None
        if first is None or any(one != first for one in found):
            return
        if all(isinstance(node, _LITERAL) for node in condition.walk()):
            first[0].literal.append((first[1], self._quoting.bare(condition)))

    def _comparisons(self, condition: exp.Expr) -> Iterator[tuple[Usage, Key, str]]:
        if isinstance(condition, _MIRROR):
            for side, other in (
                (condition.left, condition.right),
                (condition.right, condition.left),
            ):
                found = self._key(side)
                if found is None or self._touches(other, found[0]):
                    continue
                use, key = found
                ranged = isinstance(condition, _RANGES)
                bound = "joined" if other.find(exp.Column) else "equal"
                yield use, key, "range" if ranged else bound
        elif isinstance(condition, exp.In | exp.Between | exp.Is | exp.Like | exp.Escape):
            subject = condition.this.this if isinstance(condition, exp.Escape) else condition.this
            found = self._key(subject)
            if found is None:
                return
            if isinstance(condition, exp.In):
                yield *found, "joined" if condition.args.get("query") else "equal"
            elif isinstance(condition, exp.Is):
                if isinstance(condition.expression, exp.Null):
                    yield *found, "equal"
            else:
                yield *found, "range"

    def _key(self, side: exp.Expr) -> tuple[Usage, Key] | None:
        side = side.unnest()
        if isinstance(side, exp.Column):
            found = self._resolve(side)
            return None if found is None else (found[0], self._quoting.key(found[1]))
        return self._expression(side)

    def _expression(self, side: exp.Expr) -> tuple[Usage, Key] | None:
        """An expression over columns of one table, where the database has indexes on such."""
        columns = [self._resolve(column) for column in side.find_all(exp.Column)]
        owners = {id(found[0]) for found in columns if found is not None}
        first = columns[0] if columns else None
        if (
            first is None
            or None in columns
            or len(owners) != 1
            or side.find(exp.Query, exp.AggFunc, exp.Window, exp.Star)
        ):
            return None
        key = self._quoting.expression(side)
        return None if key is None else (first[0], key)

    def _touches(self, side: exp.Expr, use: Usage) -> bool:
        return any(
            found is not None and found[0] is use
            for found in (self._resolve(column) for column in side.find_all(exp.Column))
        )

    def _resolve(self, column: exp.Column) -> tuple[Usage, str] | None:
        """The use of a table and its column; names of other queries are not known here."""
        named = column.args.get("table")
        if named is not None:
            use = self._uses.get(self._catalogue.name(named)) or next(
                (u for n, u in self._uses.items()
                 if not self._catalogue.folds and n.casefold() == named.name.casefold()), None
            )  # fmt: skip
            name = None if use is None else self._catalogue.column(use.table, column)
            return None if use is None or name is None else (use, name)
        for use in self._uses.values():
            name = self._catalogue.column(use.table, column)
            if name is not None:
                return use, name
        return None

    def _order(self, select: exp.Select) -> None:
        """GROUP BY and ORDER BY of plain columns of one table; ascending or descending alike."""
        order = select.args.get("order")
        parts = [part.this for part in order.expressions] if order is not None else []
        falling = {bool(part.args.get("desc")) for part in order.expressions} if order else set()
        group = select.args.get("group")
        if not parts and group is not None:
            parts = list(group.expressions)
        elif len(falling) > 1 or (group is not None and order is not None):
            return
        found = [self._resolve(part) for part in parts if isinstance(part, exp.Column)]
        keep = [one for one in found if one is not None]
        if keep and len(keep) == len(parts) and len({id(use) for use, _ in keep}) == 1:
            keep[0][0].ordered = [self._quoting.key(name) for _, name in keep]


def _alias(source: exp.Table) -> exp.Expr:
    alias = source.args.get("alias")
    return alias.this if alias is not None and alias.this is not None else source.this


def _conjuncts(condition: exp.Expr) -> Iterator[exp.Expr]:
    condition = condition.unnest()
    if isinstance(condition, exp.And):
        yield from _conjuncts(condition.left)
        yield from _conjuncts(condition.right)
    else:
        yield condition


def _branches(condition: exp.Expr) -> Iterator[exp.Expr]:
    condition = condition.unnest()
    if isinstance(condition, exp.Or):
        yield from _branches(condition.left)
        yield from _branches(condition.right)
    else:
        yield condition


def _add(items: list[_T], item: _T) -> None:
    if item not in items:
        items.append(item)
