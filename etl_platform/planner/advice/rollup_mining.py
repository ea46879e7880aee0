"""Aggregations that were asked often, as models that could answer them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlglot import exp

from etl_platform.core.names import TableName
from etl_platform.planner.advice.knowledge import TableKnowledge, knowledge
from etl_platform.planner.advice.operators import Operator, Rows, groups
from etl_platform.planner.advice.rollup_model import Model, model_sql, short_name
from etl_platform.planner.advice.suggestion import Suggestion
from etl_platform.planner.advice.values import Values, of_profile
from etl_platform.planner.advice.workload import Use
from etl_platform.planner.catalog import Catalog
from etl_platform.planner.rollups.expressions import text
from etl_platform.planner.rollups.reasons import NotUsable
from etl_platform.planner.rollups.shape import Shape, aggregates, read_shape

_MOST_ROWS = 0.1
_VALUE_BYTES = 8
_MEASURES = (exp.Sum, exp.Count, exp.Min, exp.Max, exp.Avg)
_COUNT = exp.Count(this=exp.Star(), big_int=True)


def rollups(uses: Sequence[Use], catalog: Catalog, least_runs: int = 3) -> list[Suggestion]:
    """A model for each group of aggregations over the same joined tables that were asked often.

    Its keys are what the queries group and filter by, its measures what theirs are computed from (a
    mean from sum and count). The groups are as many as the keys' distinct values in the profiles.
    Suggested from ``least_runs`` on, where there are at most a tenth as many groups as rows. A
    query that would bring too many groups is left out of the model of the others.

    Does not apply to queries that a rollup answers already, nor to distinct counts, medians,
    FILTER, outer joins and subqueries.
    """
    models: list[Model] = []
    for use in sorted(uses, key=lambda one: -one.asked.runs):
        known = knowledge(catalog, use.inputs.values())
        shape = _shape(use, known)
        if shape is None:
            continue
        one = _model(shape, use, known)
        if one is None or not _is_small(one, known):
            continue
        for model in models:
            if (model.tables, set(model.joins)) == (one.tables, set(one.joins)):
                keys = model.keys | one.keys
                both = Model(model.tables, model.joins, keys, {}, _groups(keys, known))
                if _is_small(both, known):
                    model.keys, model.rows = keys, both.rows
                    model.measures |= one.measures
                    model.uses.append(use)
                    break
        else:
            models.append(one)
    found = [
        _suggestion(model, knowledge(catalog, model.uses[0].inputs.values()))
        for model in models
        if sum(use.asked.runs for use in model.uses) >= least_runs
    ]
    return [one for one in found if one.saved_bytes > 0]


def _shape(use: Use, known: Mapping[TableName, TableKnowledge]) -> Shape | None:
    tree = use.tree
    if not isinstance(tree, exp.Select) or not aggregates(tree):
        return None
    if any(rule.rule == "rollups" and rule.changed for rule in use.plan.rules):
        return None
    columns = {name: table.columns.keys() for name, table in known.items()}
    try:
        shape = read_shape(tree, columns.get)
    except NotUsable:
        return None
    return None if shape.outer else shape


def _model(shape: Shape, use: Use, known: Mapping[TableName, TableKnowledge]) -> Model | None:
    joins: dict[str, exp.Expr] = {}
    keys = {text(key): key for key in shape.groups}
    for condition in shape.where:
        columns = list(condition.find_all(exp.Column))
        if len({column.table for column in columns}) > 1:
            joins[text(condition)] = condition
        else:
            keys |= {text(column): column for column in columns}
    calls: list[exp.Expr] = []
    for part in [o.value for o in shape.outputs] + [shape.having]:
        calls += list(part.find_all(exp.AggFunc)) if part is not None else []
    for term, _ in shape.order:
        calls += list(term.find_all(exp.AggFunc)) if isinstance(term, exp.Expr) else []
    measures: dict[str, exp.Expr] = {text(_COUNT): _COUNT}
    for call in calls:
        within = isinstance(call.parent, exp.Filter) or call.find(exp.Distinct) is not None
        if within or not isinstance(call, _MEASURES):
            return None
        parts: list[exp.Expr] = [call]
        if isinstance(call, exp.Avg):
            parts = [exp.Sum(this=call.this.copy()), exp.Count(this=call.this.copy(), big_int=True)]
        measures |= {text(part): part for part in parts}
    if not keys or len(shape.tables) > len(joins) + 1:
        return None
    return Model(shape.tables, joins, keys, measures, _groups(keys, known), [use])


def _groups(keys: Mapping[str, exp.Expr], known: Mapping[TableName, TableKnowledge]) -> float:
    columns: dict[tuple[str, str], Values] = {}
    for table in known.values():
        if table.profile is not None:
            for column in table.profile.columns:
                place = table.name.sql, column.name.lower()
                columns[place] = of_profile(column, table.profile.rows)
    most = max((float(table.rows or 0) for table in known.values()), default=0.0)
    return groups(list(keys.values()), Rows(Operator("", "", None, ()), most, columns))


def _is_small(model: Model, known: Mapping[TableName, TableKnowledge]) -> bool:
    largest = max(float(known[table].rows or 0) for table in model.tables)
    profiled = all(known[table].profile is not None for table in model.tables)
    return profiled and model.rows <= _MOST_ROWS * largest


def _suggestion(model: Model, known: Mapping[TableName, TableKnowledge]) -> Suggestion:
    runs = sum(use.asked.runs for use in model.uses)
    width = _VALUE_BYTES * (len(model.keys) + len(model.measures))
    each = model.rows * width
    now = sum(use.asked.runs * use.plan.size_bytes for use in model.uses)
    then = runs * each
    seconds = sum(
        use.asked.runs * use.asked.seconds * max(0.0, 1 - each / max(use.plan.size_bytes, 1))
        for use in model.uses
    )
    largest = max(model.tables, key=lambda table: known[table].rows or 0)
    by = [short_name(key) for key in model.keys.values()]
    name = f"{largest.name}_by_{'_'.join(by)}"[:60].rstrip("_")
    return Suggestion(
        kind="rollup",
        table=largest.sql,
        what=f"keep {largest} by {', '.join(by)}",
        queries=runs,
        bytes_now=round(now),
        bytes_then=round(then),
        seconds=seconds,
        share=None,
        how=f"{len(model.uses)} texts asked {runs} times aggregate it so; about {model.rows:,.0f} "
        f"groups of {known[largest].rows or 0:,} rows, after the distinct values of the keys, "
        f"{width} bytes each; seconds in proportion to bytes",
        write=f"-- {largest.schema}/{name}.sql, a SQL model\n{model_sql(model, known)}",
    )
