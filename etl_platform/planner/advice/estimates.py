"""From a statement to its operators with expected rows, computed from profiles; nothing is run.

A scan hands on what is left of its files, a filter the share that profiles give its predicates
(see ``selectivity``). An equality of a join keeps one of as many pairs as the side with more
distinct values has (values of the smaller side are taken to occur in the larger one), groups are as
many as the keys' distinct values. All of it is System R's model (Selinger et al., SIGMOD 1979).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope

from etl_platform.core.errors import EtlError
from etl_platform.core.names import TableName
from etl_platform.planner.advice.blocks import Block, Item, block_of
from etl_platform.planner.advice.joins import joined
from etl_platform.planner.advice.knowledge import TableKnowledge, schema_of
from etl_platform.planner.advice.operators import Operator, Rows, distinct, groups
from etl_platform.planner.advice.scans import scan
from etl_platform.planner.advice.selectivity import constant_of, share
from etl_platform.planner.advice.values import Values
from etl_platform.planner.qualification import qualify
from etl_platform.planner.text import shown


def operators(tree: exp.Query, known: Mapping[TableName, TableKnowledge]) -> Operator:
    """The operators of a statement, each with the rows that it is expected to hand on.

    Args:
        tree: parsed; not changed. Where only DuckDB can resolve its names, only the scans are told.
        known: every table that it names.
    """
    try:
        qualified = qualify(tree, schema_of(known))
        scopes = traverse_scope(qualified)
        if scopes:
            return _Estimator(known).query(scopes[-1]).operator
    except EtlError:
        pass
    scans = [scan(table, table.name.name).operator for table in known.values()]
    names = tuple(sorted(table.name.sql for table in known.values()))
    return Operator("query", "", None, names, tuple(scans))


class _Estimator:
    """One walk over the scopes; what a CTE gives is estimated once."""

    def __init__(self, known: Mapping[TableName, TableKnowledge]) -> None:
        self._known = known
        self._found: dict[int, Rows] = {}

    def query(self, scope: Scope) -> Rows:
        key = id(scope.expression)
        if key not in self._found:
            unknown = Operator("recursion", "", None, ())
            self._found[key] = Rows(unknown, 1.0, {}, known=False)  # what a recursive CTE sees
            self._found[key] = self._query(scope)
        return self._found[key]

    def _query(self, scope: Scope) -> Rows:
        query = scope.expression
        if isinstance(query, exp.SetOperation):
            rows = self._set_operation(scope, query)
        elif isinstance(query, exp.Select):
            rows = self._select(block_of(scope))
        elif isinstance(query, exp.Subquery) and scope.subquery_scopes:
            rows = self.query(scope.subquery_scopes[0])
        else:
            return Rows(Operator(query.key, "", 1, ()), 1.0, {})
        return _ordered(rows, query)

    def _set_operation(self, scope: Scope, query: exp.SetOperation) -> Rows:
        left, right = (self.query(side) for side in scope.set_operation_scopes)
        kind = query.key
        if isinstance(query, exp.Union):
            count = left.count + right.count
            detail = "all" if not query.args.get("distinct") else ""
        else:
            count, detail = left.count / 2, ""
        both = left.then(kind, detail, count, right)
        columns = {
            key: Values(distinct=_sum(values, other))
            for (key, values), other in zip(
                left.columns.items(), right.columns.values(), strict=False
            )
        }
        with_ = query.find_ancestor(exp.With)
        if scope.is_cte and with_ is not None and with_.recursive:
            return Rows(replace(both.operator, rows=None), count, columns, known=False)
        return Rows(both.operator, count, columns, both.known)

    def _select(self, block: Block) -> Rows:
        items = {alias: self._item(block, item) for alias, item in block.items.items()}
        rows = joined(block, items) if items else _nothing()
        rows = self._subqueries(block, rows)
        rows = _grouped(block.select, rows)
        if block.select.find(exp.Window) is not None and any(
            output.find(exp.Window) for output in [*block.select.selects]
        ):
            rows = rows.then("window", "", rows.count)
        qualify_ = block.select.args.get("qualify")
        if qualify_ is not None:
            rows = rows.then("filter", shown(qualify_.this), rows.count / 3)
        outputs = {
            ("", output.alias_or_name.lower()): _output(output, rows)
            for output in block.select.selects
        }
        rows = Rows(rows.operator, rows.count, outputs, rows.known)
        if block.select.args.get("distinct") is not None:
            keys = [exp.column(name) for _, name in outputs]
            rows = rows.then("distinct", "", groups(list(keys), rows))
        return rows

    def _item(self, block: Block, item: Item) -> Rows:
        if isinstance(item.source, Scope):
            return self.query(item.source).named(item.alias)
        table = None if item.table is None else self._known.get(item.table)
        if table is None:
            return Rows(Operator("function", shown(item.node), None, ()), 1.0, {}, known=False)
        return scan(table, item.alias)

    def _subqueries(self, block: Block, rows: Rows) -> Rows:
        """Predicates with inner queries, as the joins that they become."""
        scopes = {id(scope.expression): scope for scope in block.scope.subquery_scopes}
        for condition in block.where:
            for query in condition.find_all(exp.Query):
                scope = scopes.get(id(query))
                if scope is None:
                    continue
                inner = self.query(scope)
                negated = isinstance(condition, exp.Not)
                kept, kind = self._kept(condition, query, rows, inner)
                if kind == "semi join" and negated:
                    kept, kind = 1 - kept, "anti join"
                rows = rows.then(kind, "", rows.count * kept, inner)
        return rows

    def _kept(
        self, condition: exp.Expr, query: exp.Query, rows: Rows, inner: Rows
    ) -> tuple[float, str]:
        """The share of rows that a predicate with an inner query keeps."""
        asked = query.find_ancestor(exp.In, exp.Exists)
        if asked is None or asked.find_ancestor(exp.Select) is not condition.find_ancestor(
            exp.Select
        ):
            return share(condition, lambda c: rows.values(c.table, c.name)), "filter by query"
        if isinstance(asked, exp.In):
            mine = distinct(asked.this, rows)
            theirs = max((v.distinct or inner.count for v in inner.columns.values()), default=1.0)
            return min(1.0, theirs / max(mine, 1.0)), "semi join"
        return 0.5, "semi join"


def _nothing() -> Rows:
    return Rows(Operator("values", "", 1, ()), 1.0, {})


def _grouped(select: exp.Select, rows: Rows) -> Rows:
    group = select.args.get("group")
    calls = [
        call
        for output in select.selects
        for call in output.find_all(exp.AggFunc)
        if call.find_ancestor(exp.Window) is None and call.find_ancestor(exp.Select) is select
    ]
    if group is None and not calls:
        return rows
    told = ", ".join(dict.fromkeys(shown(call) for call in calls))
    keys = list(group.expressions) if group is not None else []
    if group is not None:
        told = f"by {', '.join(map(shown, keys))}" + (f": {told}" if told else "")
    rows = rows.then("aggregate", told, groups(keys, rows) if keys else 1.0)
    having = select.args.get("having")
    if having is not None:
        kept = share(having.this, lambda c: rows.values(c.table, c.name))
        rows = rows.then("filter", shown(having.this), rows.count * kept)
    return rows


def _output(output: exp.Expr, rows: Rows) -> Values:
    value = output.unalias()
    if type(value) is exp.Column:
        return rows.values(value.table, value.name) or Values()
    if isinstance(value, exp.Literal):
        return Values(distinct=1.0)
    if value.find(exp.AggFunc) is not None:
        return Values(distinct=rows.count)
    return Values(distinct=min(rows.count, distinct(value, rows)))


def _ordered(rows: Rows, query: exp.Query) -> Rows:
    order, limit = query.args.get("order"), query.args.get("limit")
    if isinstance(query, exp.Union) and query.args.get("distinct"):
        keys: list[exp.Expr] = [exp.column(name) for _, name in rows.columns]
        rows = rows.then("distinct", "", groups(keys, rows))
    if order is not None:
        rows = rows.then("sort", f"by {', '.join(map(shown, order.expressions))}", rows.count)
    if isinstance(limit, exp.Limit):
        most = constant_of(limit.expression)
        count = min(rows.count, most) if isinstance(most, float) else rows.count
        rows = rows.then("limit", shown(limit.expression), count)
    return rows


def _sum(left: Values, right: Values) -> float | None:
    if left.distinct is None or right.distinct is None:
        return None
    return left.distinct + right.distinct
