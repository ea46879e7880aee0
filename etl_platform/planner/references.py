"""Every place where a statement names a table, with the conditions that its rows have to fulfil.

Rows for which a condition is not true cannot change the result, so a table may be given without
them. A statement is walked from the outside in: conditions on the outputs of a derived table or
CTE go through to the columns they are made of, where that is safe. Whatever the walk does not
understand (lateral joins, PIVOT, samples, positional and as-of joins, recursion) contributes a
reference without conditions, or none at all; a table is then read whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from etl_platform.core.names import TableName
from etl_platform.planner.conditions import Condition, rejects_null
from etl_platform.planner.sources import (
    Columns,
    Source,
    group_conditions,
    outputs,
    projected,
    resolve,
    sources_of,
    through,
)
from etl_platform.planner.tables import cte_of, table_name, table_references
from etl_platform.planner.weakening import Weakening, conjuncts


@dataclass(eq=False, slots=True)
class Reference:
    """One place that names a table."""

    table: TableName
    conditions: list[Condition] = field(default_factory=list["Condition"])
    links: list[Link] = field(default_factory=list["Link"])


@dataclass(frozen=True, slots=True)
class Link:
    """The rows of a reference matter only where ``column`` equals ``other_column`` of ``other``."""

    column: str
    other: Reference
    other_column: str


def references(
    tree: exp.Query,
    columns: Mapping[TableName, Columns],
    texts: frozenset[str] = frozenset(),
) -> dict[TableName, list[Reference]]:
    """Every reference of a statement, by table.

    Args:
        tree: the statement.
        columns: of every table that it names.
        texts: names of the parameters whose values are texts.
    """
    walk = _Walk(tree, columns, texts)
    walk.visit(tree, [])
    found: dict[TableName, list[Reference]] = {}
    for node in table_references(tree):
        table = table_name(node)
        if table is not None:
            # A place that the walk did not reach may need every row.
            reference = walk.found.get(id(node)) or Reference(table)
            found.setdefault(table, []).append(reference)
    return found


class _Walk:
    def __init__(
        self, tree: exp.Query, columns: Mapping[TableName, Columns], texts: frozenset[str]
    ) -> None:
        self._columns = columns
        self._texts = texts
        self._uses: dict[int, list[list[exp.Expr]]] = {}
        ctes = (cte_of(t) for t in tree.find_all(exp.Table) if isinstance(t.this, exp.Identifier))
        self._named = Counter(id(cte) for cte in ctes if cte is not None)
        self.found: dict[int, Reference] = {}

    def visit(self, query: exp.Expr, incoming: Sequence[exp.Expr]) -> None:
        """Walk one query; ``incoming`` are conditions on its outputs, by unqualified name."""
        if isinstance(query, exp.Subquery):
            changed = any(query.args.get(part) for part in ("limit", "offset", "sample", "pivots"))
            self.visit(query.this, [] if changed else incoming)
        elif isinstance(query, exp.SetOperation):
            self._visit_set(query, incoming)
        elif isinstance(query, exp.Select):
            self._visit_select(query, incoming)
        with_ = query.args.get("with_")
        if isinstance(with_, exp.With):
            for cte in reversed(with_.expressions):
                uses = self._uses.get(id(cte), [])
                known = not with_.recursive and len(uses) == self._named[id(cte)]
                self.visit(cte.this, _any_of(uses) if known else [])

    def _visit_set(self, query: exp.SetOperation, incoming: Sequence[exp.Expr]) -> None:
        whole = any(query.args.get(part) for part in ("limit", "offset", "by_name", "sample"))
        left = outputs(query.this, self._columns.get)
        for side in (query.this, query.expression):
            own = outputs(side, self._columns.get)
            passed: list[exp.Expr] = []
            if (
                isinstance(query, exp.Union)
                and not whole
                and left
                and own
                and len(left) == len(own)
            ):
                renamed = {a: b for a, b in zip(left, own, strict=True) if left.count(a) == 1}
                passed = through(
                    incoming,
                    lambda column, r=renamed: (
                        exp.column(r[column.name]) if column.name in r else None
                    ),
                )
            self.visit(side, passed)

    def _visit_select(self, select: exp.Select, incoming: Sequence[exp.Expr]) -> None:
        sources = sources_of(select, self._columns.get)
        if sources is not None:
            pushed = through(incoming, lambda column: projected(select, column.name))
            where = select.args.get("where")
            filters = conjuncts(where.this if where is not None else None)
            filters += [*group_conditions(select), *pushed]
            for source in sources.values():
                source.filters += filters
            for alias, source in sources.items():
                if source.node is not None:
                    self._constrain(alias, source, sources)
                elif source.query is not None or source.cte is not None:
                    self._pass_on(alias, source, sources)
            for alias, source in sources.items():
                self._link(alias, source, sources)
        reached = {id(s.query) for s in (sources or {}).values() if s.query is not None}
        for nested in _nested(select):
            if id(nested) not in reached:
                self.visit(nested, [])

    def _constrain(self, alias: str, source: Source, sources: Mapping[str, Source]) -> None:
        assert source.node is not None
        table = table_name(source.node)
        assert table is not None
        reference = self.found.setdefault(id(source.node), Reference(table))
        weakening = Weakening(lambda column: resolve(column, alias, sources), self._texts)
        for predicate in source.sure:
            condition = weakening.of(predicate)
            if condition is not None:
                reference.conditions.append(condition)
        for predicate in source.filters:
            condition = weakening.of(predicate)
            if condition is not None and (rejects_null(condition) or not source.nullable):
                reference.conditions.append(condition)

    def _pass_on(self, alias: str, source: Source, sources: Mapping[str, Source]) -> None:
        predicates = source.sure if source.nullable else [*source.sure, *source.filters]

        def own(column: exp.Column) -> exp.Column | None:
            found = resolve(column, alias, sources)
            return None if found is None else exp.column(found.name)

        outward = through(predicates, own)
        if source.query is not None:
            self.visit(source.query, outward)
        else:
            self._uses.setdefault(id(source.cte), []).append(outward)

    def _link(self, alias: str, source: Source, sources: Mapping[str, Source]) -> None:
        if source.node is None:
            return
        reference = self.found[id(source.node)]
        for predicate in [*source.sure, *source.filters]:
            if not isinstance(predicate, exp.EQ):
                continue
            for mine, theirs in (
                (predicate.this, predicate.expression),
                (predicate.expression, predicate.this),
            ):
                if not (type(mine) is exp.Column and type(theirs) is exp.Column):
                    continue
                column = resolve(mine, alias, sources)
                if column is None:
                    continue
                for name, other in sources.items():
                    found = resolve(theirs, name, sources) if name != alias else None
                    if found is not None and other.node is not None and found.kind == column.kind:
                        link = Link(column.name, self.found[id(other.node)], found.name)
                        reference.links.append(link)


def _nested(select: exp.Select) -> list[exp.Expr]:
    """The queries directly inside a SELECT, CTEs left out, without parentheses."""
    found: list[exp.Expr] = []
    pending = [part for key, part in _children(select) if key != "with_"]
    while pending:
        node = pending.pop()
        if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Query):
            found.append(node.this if not node.args.get("limit") else node)
        elif isinstance(node, exp.Query):
            found.append(node)
        else:
            pending.extend(part for _, part in _children(node))
    return found


def _children(node: exp.Expr) -> list[tuple[str, exp.Expr]]:
    return [
        (key, part)
        for key, value in node.args.items()
        for part in (value if isinstance(value, list) else [value])
        if isinstance(part, exp.Expr)
    ]


def _any_of(uses: Sequence[Sequence[exp.Expr]]) -> list[exp.Expr]:
    """What holds for a row that at least one of several uses needs."""
    if not uses or not all(uses):
        return []
    if len(uses) == 1:
        return list(uses[0])
    return [exp.or_(*(exp.and_(*use) for use in uses))]
