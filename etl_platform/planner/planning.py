"""From text to plan: parse, pin, apply the rules in order, estimate."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping

from sqlglot import exp

from etl_platform.core.names import TableName
from etl_platform.planner.canonical import canonical
from etl_platform.planner.catalog import Catalog
from etl_platform.planner.draft import Draft, Params, PlanRule
from etl_platform.planner.estimation import Corrections, estimate, formula_seconds
from etl_platform.planner.parsing import parse
from etl_platform.planner.plan import Plan, TableInput
from etl_platform.planner.policy import TablePolicies
from etl_platform.planner.rules.pin import pin
from etl_platform.planner.rules.prune_files import prune_files
from etl_platform.planner.rules.prune_joins import prune_joins
from etl_platform.planner.rules.rollups import rollups
from etl_platform.planner.rules.views import read_views

RULES: tuple[PlanRule, ...] = (pin, rollups, prune_files, prune_joins)
"""Every rule, in the order in which they run."""
_NUMBERED = re.compile(r"\$(\d+)")


def plan(
    text: str,
    catalog: Catalog,
    *,
    params: Params = None,
    dialect: str = "duckdb",
    policy: TablePolicies | None = None,
    role: str | None = None,
    corrections: Corrections | None = None,
) -> Plan:
    """Plan one SELECT over tables of the catalog; no row of the result is computed.

    Views are read as their SELECT before anything else, so that pinning, policies, rollups and
    pruning act on the tables that they read.

    DuckDB is given the text as it was written unless a rule has to rewrite it: pinning, pruning
    and policies act on what the session's views are made of, so no alias, star, CTE or subquery
    can lead around them.

    Args:
        text: one SELECT; tables by their lake names, ``main`` being the default schema.
        catalog: the tables.
        params: the values that will be bound; they may decide which files are read.
        dialect: sqlglot's name of the dialect of ``text``.
        policy: what the role may see; None is everything.
        role: who asks, for the record.
        corrections: what earlier queries took, for the estimate.

    Raises:
        PermanentError: the text is not SQL, with line and column.
        QueryRefused: it is not one SELECT, or the role may not read a table.
        UnknownName: a table does not exist, with line, column and nearest name.
    """
    tree = parse(text, dialect)
    sql = text
    if dialect != "duckdb":
        sql = tree.sql(dialect="duckdb")
        tree = parse(sql)
    draft = read_views(Draft(sql, tree, catalog, params, policy))
    _number(draft.tree)
    for rule in RULES:
        draft = rule(draft)
    inputs = tuple(_input(draft, table) for table in sorted(draft.snapshots))
    key = _key(draft, inputs)
    size_bytes = sum(table.size_bytes for table in inputs)
    seconds = formula_seconds(size_bytes)
    if corrections is not None:
        seconds = corrections.seconds(key, text, role, size_bytes)
    return Plan(
        text=text,
        sql=draft.sql,
        dialect=dialect,
        inputs=inputs,
        rules=draft.applied,
        estimate=estimate(draft.tree, inputs, seconds),
        columns={},
        key=key,
        role=role,
    )


def _number(tree: exp.Query) -> None:
    """Give each ``?`` of the tree the number that DuckDB binds it by, where that is certain."""
    places = [p for p in tree.find_all(exp.Placeholder, bfs=False) if not p.args.get("this")]
    for i, place in enumerate(places, 1):
        place.set("this", str(i))
    if len(places) > 1:
        found = _NUMBERED.findall(tree.sql(dialect="duckdb", comments=False))
        if found != [str(i) for i in range(1, len(places) + 1)]:
            for place in places:
                place.set("this", None)


def _input(draft: Draft, table: TableName) -> TableInput:
    snapshot = draft.snapshots[table]
    files = draft.files_of(table)
    relation = snapshot.relation_sql(files, fetch=False)
    return TableInput(
        table=table,
        version=snapshot.version,
        relation_sql=relation,
        uris=tuple(file.uri for file in files),
        files_total=len(snapshot.files),
        rows=sum(file.rows for file in files),
        size_bytes=sum(file.size_bytes for file in files),
        view_sql=draft.view_sql(table, relation),
    )


def _key(draft: Draft, inputs: tuple[TableInput, ...]) -> str:
    params = draft.params
    bound = list(params.items()) if isinstance(params, Mapping) else list(params or ())
    known = [
        canonical(draft.sql),
        [[t.table.sql, t.version, t.view_sql] for t in inputs],
        [f"{type(value).__name__} {value!r}" for value in bound],
    ]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()
