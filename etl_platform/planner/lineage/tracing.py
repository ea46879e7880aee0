"""Which columns of which tables the values of each output column come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope

from etl_platform.core.errors import PermanentError
from etl_platform.core.names import TableName
from etl_platform.planner.qualification import qualify
from etl_platform.planner.tables import Schema, table_name

ColumnRef: TypeAlias = tuple[TableName, str]
_Refs: TypeAlias = frozenset[ColumnRef]
_NONE: _Refs = frozenset()


def lineage(
    tree: exp.Query, schema: Schema, *, where: str | None = None
) -> Mapping[str, tuple[ColumnRef, ...]]:
    """For each output column, the base columns that its values are computed from, sorted.

    Counted: everything inside the output's expression, through CTEs, subqueries, unions, stars and
    lateral joins, including PARTITION BY and ORDER BY of its windows, its CASE conditions and its
    FILTER clauses. Not counted: WHERE, JOIN, GROUP BY and HAVING, which choose rows.

    >>> from etl_platform.planner.parsing import parse
    >>> orders = TableName("shop", "orders")
    >>> lineage(parse("select qty * price as total from shop.orders where paid"),
    ...         {orders: {"qty": "INT", "price": "INT", "paid": "BOOL"}})["total"]
    ((TableName(schema='shop', name='orders'), 'price'),
     (TableName(schema='shop', name='orders'), 'qty'))

    Raises:
        UnknownName, PermanentError: as :func:`~etl_platform.planner.qualification.qualify`.
    """
    merged: dict[str, _Refs] = {}
    for name, refs in output_lineage(qualify(tree, schema, where=where), schema):
        merged[name] = merged.get(name, _NONE) | refs
    return {name: tuple(sorted(refs)) for name, refs in merged.items()}


def output_lineage(qualified: exp.Query, schema: Schema) -> list[tuple[str, _Refs]]:
    """The same by position, of a tree that is qualified already; names can repeat here.

    Raises:
        PermanentError: the statement names columns in a way that only DuckDB can spell out
            (``COLUMNS(...)``, ``#1``).
    """
    opaque = qualified.find(exp.Columns, exp.PositionalColumn)
    if opaque is not None:
        raise PermanentError(
            f"lineage of {opaque.sql(dialect='duckdb')} is not known", fix="name the columns"
        )
    return _Tracer(qualified, schema).outputs_of_root()


class _Tracer:
    """One walk over all scopes, each traced once (``sqlglot.lineage`` walks once per column)."""

    def __init__(self, qualified: exp.Query, schema: Schema) -> None:
        self._scopes = traverse_scope(qualified)
        self._by_expression = {id(scope.expression): scope for scope in self._scopes}
        self._outputs: dict[int, list[tuple[str, _Refs]]] = {}
        self._recursive: dict[int, list[tuple[str, _Refs]]] = {}
        self._columns = {
            table: {column.lower(): column for column in columns or ()}
            for table, columns in schema.items()
        }

    def outputs_of_root(self) -> list[tuple[str, _Refs]]:
        return self._of(self._scopes[-1]) if self._scopes else []

    def _of(self, scope: Scope) -> list[tuple[str, _Refs]]:
        known = self._recursive.get(id(scope.expression)) or self._outputs.get(id(scope))
        if known is None:
            known = self._compute(scope)
            self._outputs[id(scope)] = known
        return known

    def _compute(self, scope: Scope) -> list[tuple[str, _Refs]]:
        expression = scope.expression
        if isinstance(expression, exp.SetOperation):
            return self._of_set_operation(scope, expression)
        if isinstance(expression, exp.Select):
            return [(s.alias_or_name, self._trace(s, scope)) for s in expression.selects]
        if isinstance(expression, exp.Subquery):
            inner = self._by_expression.get(id(expression.unnest()))
            return self._of(inner) if inner is not None else []
        return []

    def _of_set_operation(
        self, scope: Scope, expression: exp.SetOperation
    ) -> list[tuple[str, _Refs]]:
        left, right = scope.set_operation_scopes
        merged = self._of(left)
        if not (scope.is_cte and _is_recursive(expression)):
            return _merge(merged, self._of(right), expression)
        # A self-reference is a scope of the anchor's expression: feed the union back into it until
        # nothing is added.
        anchor = id(left.expression)
        while True:
            self._recursive[anchor] = merged
            self._forget_below(right)
            grown = _merge(merged, self._of(right), expression)
            if grown == merged:
                del self._recursive[anchor]
                return merged
            merged = grown

    def _forget_below(self, scope: Scope) -> None:
        for inner in scope.traverse():
            self._outputs.pop(id(inner), None)

    def _trace(self, expression: exp.Expr, scope: Scope) -> _Refs:
        refs: set[ColumnRef] = set()
        pending: list[exp.Expr] = [expression]
        while pending:
            node = pending.pop()
            if isinstance(node, exp.Column):
                refs |= self._resolve(node, scope)
            elif isinstance(node, exp.TableColumn):
                refs |= self._whole_row(node.name, scope)
            elif isinstance(node, exp.Query):
                refs |= self._nested(node)
            else:
                if isinstance(node, exp.Window) and node.alias:
                    pending.extend(_named_window(node.alias, scope))
                pending.extend(node.iter_expressions())
        return frozenset(refs)

    def _nested(self, query: exp.Query) -> _Refs:
        inner = self._by_expression.get(id(query.unnest()))
        if inner is None:
            return _NONE
        if isinstance(query.parent, exp.Exists):
            # EXISTS has no value of its own: its rows decide, so everything that it looks at does.
            looked_at = (self._trace(column, inner) for column in inner.find_all(exp.Column))
            return _NONE.union(*looked_at)
        return _NONE.union(*(refs for _, refs in self._of(inner)))

    def _resolve(self, column: exp.Column, scope: Scope) -> _Refs:
        name = column.name.lower()
        for source in _sources(column.table, scope):
            if isinstance(source, Scope):
                return self._of_source(source, name)
            if isinstance(source, exp.Table):
                table = table_name(source) if isinstance(source.this, exp.Identifier) else None
                if table is None:
                    return self._trace_children(source, scope)
                pivoted = self._through_pivots(source, name, table)
                return pivoted if pivoted is not None else frozenset({self._ref(table, name)})
        return _NONE

    def _of_source(self, source: Scope, name: str) -> _Refs:
        expression = source.expression
        if isinstance(expression, exp.Lateral) and isinstance(expression.this, exp.Subquery):
            inner = self._by_expression.get(id(expression.this.unnest()))
            return dict(self._of(inner)).get(name, _NONE) if inner is not None else _NONE
        if isinstance(expression, exp.UDTF):
            return self._trace_children(expression, source)
        found: _Refs = _NONE
        for output, refs in self._of(source):
            if output.lower() == name:
                found |= refs
        return found

    def _trace_children(self, node: exp.Expr, scope: Scope) -> _Refs:
        return _NONE.union(*(self._trace(child, scope) for child in node.iter_expressions()))

    def _through_pivots(self, source: exp.Table, name: str, table: TableName) -> _Refs | None:
        """Columns that a PIVOT or UNPIVOT makes come from every column that it names."""
        pivots: list[exp.Pivot] = source.args.get("pivots") or []
        if not pivots or name in self._columns.get(table, {}):
            return None
        return frozenset(
            self._ref(table, column.name.lower())
            for pivot in pivots
            for column in pivot.find_all(exp.Column)
            if column.name.lower() in self._columns.get(table, {})
        )

    def _whole_row(self, alias: str, scope: Scope) -> _Refs:
        for source in _sources(alias, scope):
            if isinstance(source, Scope):
                return _NONE.union(*(refs for _, refs in self._of(source)))
            table = table_name(source) if isinstance(source, exp.Table) else None
            if table is not None:
                return frozenset((table, c) for c in self._columns.get(table, {}).values())
        return _NONE

    def _ref(self, table: TableName, folded: str) -> ColumnRef:
        return table, self._columns.get(table, {}).get(folded, folded)


def _sources(alias: str, scope: Scope) -> Iterator[exp.Expr | Scope]:
    """What an alias can mean, innermost scope first; aliases of pivots are not in sqlglot's map."""
    current: Scope | None = scope
    while current is not None:
        if alias in current.sources:
            yield current.sources[alias]
        for table in current.find_all(exp.Table):
            pivots = table.args.get("pivots") or []
            if any(pivot.alias == alias for pivot in pivots):
                yield table
        current = current.parent


def _merge(
    left: list[tuple[str, _Refs]], right: list[tuple[str, _Refs]], operation: exp.SetOperation
) -> list[tuple[str, _Refs]]:
    if operation.args.get("by_name"):
        others = dict(right)
        names = {name for name, _ in left}
        merged = [(name, refs | others.get(name, _NONE)) for name, refs in left]
        return merged + [(name, refs) for name, refs in right if name not in names]
    if isinstance(operation, exp.Except):
        return left
    return [
        (name, refs | (right[i][1] if i < len(right) else _NONE))
        for i, (name, refs) in enumerate(left)
    ]


def _is_recursive(operation: exp.SetOperation) -> bool:
    with_ = operation.find_ancestor(exp.With)
    return with_ is not None and bool(with_.recursive)


def _named_window(alias: str, scope: Scope) -> list[exp.Expr]:
    windows: list[exp.Expr] = scope.expression.args.get("windows") or []
    return [window for window in windows if window.name.lower() == alias.lower()]
