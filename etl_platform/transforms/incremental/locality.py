"""The proof behind incremental runs: which rows of a model can change when rows of an input do.

Each step of a query (filter, group, window, join, distinct, set operation) is looked at once, from
the tables up. What is not understood loses its columns, so that nothing is claimed of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope

from etl_platform.planner.tables import Schema, table_name, table_references
from etl_platform.planner.weakening import conjuncts
from etl_platform.transforms.incremental.grouping import limits_of, made_of
from etl_platform.transforms.incremental.joins import Side, equalities, joined, merged
from etl_platform.transforms.incremental.reach import Name, Reach, Visible, name_of

_OPAQUE = (exp.Columns, exp.PositionalColumn, exp.Pivot, exp.TableSample, exp.MatchRecognize)


def reaches(qualified: exp.Query, schema: Schema) -> tuple[Reach, ...]:
    """For each table reference of a model, how it reaches the model's rows.

    Args:
        qualified: the tree with all names complete and stars spelled out.
        schema: columns of the tables that it reads.
    """
    found = _Walk(qualified, schema).of_root()
    known = {reach.node for reach in found}
    opaque = qualified.find(*_OPAQUE)
    if opaque is not None:
        found = [
            reach.lost(f"{type(opaque).__name__.upper()} is not understood") for reach in found
        ]
    for node in table_references(qualified):
        table = table_name(node)
        if id(node) not in known and table is not None:
            found.append(Reach(table, id(node), row_wise=False, why="it is read in a subquery"))
    return tuple(found)


class _Walk:
    def __init__(self, qualified: exp.Query, schema: Schema) -> None:
        self._scopes = traverse_scope(qualified)
        self._schema = {
            table: {name.lower(): kind for name, kind in (columns or {}).items()}
            for table, columns in schema.items()
        }
        self._known: dict[int, list[Reach]] = {}

    def of_root(self) -> list[Reach]:
        return self._of(self._scopes[-1]) if self._scopes else []

    def _of(self, scope: Scope) -> list[Reach]:
        if id(scope) not in self._known:
            self._known[id(scope)] = []  # of a recursive reference to itself nothing is claimed
            self._known[id(scope)] = self._compute(scope)
        return self._known[id(scope)]

    def _compute(self, scope: Scope) -> list[Reach]:
        tree = scope.expression
        if isinstance(tree, exp.SetOperation):
            found = self._of_set_operation(scope, tree)
        elif isinstance(tree, exp.Select):
            found = self._of_select(scope, tree)
        elif isinstance(tree, exp.Subquery) and scope.subquery_scopes:
            found = self._of(scope.subquery_scopes[-1])
        else:
            return []
        with_ = tree.find_ancestor(exp.With)
        if with_ is not None and with_.recursive:
            return [reach.lost("WITH RECURSIVE") for reach in found]
        for part in ("limit", "offset", "sample", "fetch"):
            if tree.args.get(part) is not None:
                return [reach.lost(part.upper()) for reach in found]
        return found

    def _of_set_operation(self, scope: Scope, tree: exp.SetOperation) -> list[Reach]:
        sides = scope.set_operation_scopes
        outputs = [_outputs(side.expression) for side in sides]
        if len(sides) != 2 or tree.args.get("side") or tree.args.get("kind"):
            return [r.lost("a set operation") for side in sides for r in self._of(side)]
        found: list[Reach] = []
        for side, names in zip(sides, outputs, strict=True):
            target = names if tree.args.get("by_name") else outputs[0]
            renames = dict(zip(names, target, strict=False))
            for reach in self._of(side):
                columns = {renames[n]: e for n, e in reach.columns.items() if n in renames}
                # Without rows of the one table there are still those of the other side.
                found.append(replace(reach, columns=columns, row_wise=False))
        if isinstance(tree, exp.Union) and not tree.args.get("distinct"):
            return found
        return [reach.within(reach.columns, "a set operation") for reach in found]

    def _of_select(self, scope: Scope, tree: exp.Select) -> list[Reach]:
        side, coalesced = self._of_sources(scope, tree)
        where = tree.args.get("where")
        pairs = equalities(
            conjuncts(where.this if where is not None else None),
            lambda left, right: self._same_type(scope, left, right),
        )
        visible = [one.following(pairs) for one in side.reaches]
        limits, why = limits_of(tree)
        if limits is None:
            return [replace(one.reach, columns={}).lost(why) for one in visible]
        names = Counter(projection.alias_or_name.lower() for projection in tree.selects)
        found: list[Reach] = []
        for one in visible:
            columns: dict[str, exp.Expr] = {}
            for projection in tree.selects:
                name, value = projection.alias_or_name.lower(), projection.unalias()
                if names[name] > 1 or not all(made_of(value, limit) for limit in limits):
                    continue
                carried = one.value(_without_coalesce(value, coalesced))
                if carried is not None:
                    columns[name] = carried
            reach = replace(one.reach, columns=columns)
            found.append(reach if not limits and not why else reach.within(columns, why))
        return found

    def _of_sources(
        self, scope: Scope, tree: exp.Select
    ) -> tuple[Side, dict[Name, dict[Name, Name]]]:
        from_ = tree.args.get("from_")
        joins: list[exp.Join] = tree.args.get("joins") or []
        coalesced: dict[Name, dict[Name, Name]] = {}
        side = self._source(scope, from_.this) if from_ is not None else Side(frozenset(), ())

        def same_type(left: Name, right: Name) -> bool:
            return self._same_type(scope, left, right)

        for join in joins:
            right = self._source(scope, join.this)
            pairs = equalities(conjuncts(join.args.get("on")), same_type)
            for one, other in pairs:
                if join.side.upper() == "FULL":
                    meant = merged(one, other)
                else:
                    kept = right if join.side.upper() == "RIGHT" else side
                    meant = one if one[0] in kept.aliases else other
                coalesced.setdefault(one, {})[other] = meant
                coalesced.setdefault(other, {})[one] = meant
            side = joined(side, right, join, same_type)
        return side, coalesced

    def _source(self, scope: Scope, node: exp.Expr) -> Side:
        alias = node.alias_or_name
        source = scope.sources.get(alias)
        aliases = frozenset({alias})
        if isinstance(source, Scope):
            if isinstance(source.expression, exp.UDTF):
                return Side(aliases, ())
            visible = tuple(
                Visible(reach, {(alias, n): e for n, e in reach.columns.items()})
                for reach in self._of(source)
            )
            if _renamed(node, source):
                return Side(aliases, tuple(v.only({}, "a renamed subquery") for v in visible))
            return Side(aliases, visible)
        if not isinstance(source, exp.Table) or not isinstance(source.this, exp.Identifier):
            return Side(aliases, ())
        table = table_name(source)
        if table is None or source.alias_column_names or source.args.get("joins"):
            return Side(aliases, ())
        columns = self._schema.get(table, {})
        names = {(alias, name): exp.column(name, quoted=True) for name in columns}
        return Side(aliases, (Visible(Reach(table, id(source)), names),))

    def _same_type(self, scope: Scope, left: Name, right: Name) -> bool:
        kinds = [self._type(scope, name) for name in (left, right)]
        return kinds[0] is not None and kinds[0] == kinds[1]

    def _type(self, scope: Scope, name: Name) -> str | None:
        """The DuckDB type of a column that is a table's own; integers count as one type."""
        source = scope.sources.get(name[0])
        if isinstance(source, exp.Table):
            table = table_name(source) if isinstance(source.this, exp.Identifier) else None
            kind = self._schema.get(table, {}).get(name[1].lower()) if table else None
            return "INTEGER" if kind in ("TINYINT", "SMALLINT", "BIGINT") else kind
        if not isinstance(source, Scope) or not isinstance(source.expression, exp.Select):
            return None
        for projection in source.expression.selects:
            if projection.alias_or_name.lower() == name[1].lower():
                inner = name_of(projection.unalias())
                return self._type(source, inner) if inner is not None else None
        return None


def _renamed(node: exp.Expr, source: Scope) -> bool:
    """Whether columns of a subquery or CTE have other names than its SELECT gives them."""
    cte = source.expression.find_ancestor(exp.CTE) if source.is_cte else None
    named = source.outer_columns or (cte is not None and cte.alias_column_names)
    return bool(named or any(node.args.get(part) for part in ("pivots", "sample", "joins")))


def _outputs(tree: exp.Expr) -> list[str]:
    if isinstance(tree, exp.SetOperation) and tree.args.get("by_name"):
        left = _outputs(tree.left)
        return left + [name for name in _outputs(tree.right) if name not in left]
    return [s.alias_or_name.lower() for s in tree.selects] if isinstance(tree, exp.Query) else []


def _without_coalesce(value: exp.Expr, coalesced: Mapping[Name, Mapping[Name, Name]]) -> exp.Expr:
    """A merged column of USING is the one of the side that has it."""

    def simple(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Coalesce) and len(node.expressions) == 1:
            left, right = name_of(node.this), name_of(node.expressions[0])
            if left is not None and right is not None:
                meant = coalesced.get(left, {}).get(right)
                if meant is not None:
                    return exp.column(meant[1], meant[0], quoted=True)
        return node

    return value.transform(simple)
