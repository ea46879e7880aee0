"""From text to plan: parse, pin, apply the rules in order, estimate."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from etl_platform.core.names import TableName
from etl_platform.core.types import duckdb_type
from etl_platform.planner.catalog import Catalog
from etl_platform.planner.draft import Draft, Params, PlanRule
from etl_platform.planner.parsing import parse
from etl_platform.planner.plan import Estimate, Plan, TableInput
from etl_platform.planner.policy import TablePolicies
from etl_platform.planner.rules.pin import pin

if TYPE_CHECKING:
    from etl_platform.lakehouse.log import Snapshot

RULES: tuple[PlanRule, ...] = (pin,)
"""Every rule, in the order in which they run."""


def plan(
    text: str,
    catalog: Catalog,
    *,
    params: Params = None,
    dialect: str = "duckdb",
    policy: TablePolicies | None = None,
    role: str | None = None,
) -> Plan:
    """Plan one SELECT over tables of the catalog; no row of the result is computed.

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
    draft = Draft(sql, tree, catalog, params, policy)
    for rule in RULES:
        draft = rule(draft)
    inputs = tuple(_input(draft, table) for table in sorted(draft.snapshots))
    size_bytes = sum(table.size_bytes for table in inputs)
    return Plan(
        text=text,
        sql=draft.sql,
        dialect=dialect,
        inputs=inputs,
        rules=draft.applied,
        estimate=Estimate(rows=0, size_bytes=size_bytes, seconds=0.0),
        columns={},
        key=_key(draft, inputs),
        role=role,
    )


def _input(draft: Draft, table: TableName) -> TableInput:
    snapshot = draft.snapshots[table]
    files = draft.files_of(table)
    relation = snapshot.relation_sql(files)
    view = None
    if draft.policy is not None:
        view = draft.policy.view_sql(table, relation, _columns(snapshot))
    return TableInput(
        table=table,
        version=snapshot.version,
        relation_sql=relation,
        uris=tuple(file.uri for file in files),
        files_total=len(snapshot.files),
        rows=sum(file.rows for file in files),
        size_bytes=sum(file.size_bytes for file in files),
        view_sql=view,
    )


def _columns(snapshot: Snapshot) -> Mapping[str, str]:
    return {field.name: duckdb_type(field.type) for field in snapshot.schema}


def _key(draft: Draft, inputs: tuple[TableInput, ...]) -> str:
    params = draft.params
    bound = list(params.items()) if isinstance(params, Mapping) else list(params or ())
    known = [
        draft.sql,
        [[t.table.sql, t.version, t.view_sql] for t in inputs],
        [repr(value) for value in bound],
    ]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()
