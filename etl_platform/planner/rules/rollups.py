"""Aggregates are read from a table that already holds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from sqlglot import exp

from etl_platform.core.errors import QueryRefused
from etl_platform.core.names import TableName
from etl_platform.planner.catalog import Rollup
from etl_platform.planner.draft import Draft
from etl_platform.planner.parsing import parse
from etl_platform.planner.plan import Applied
from etl_platform.planner.rollups.binding import bound
from etl_platform.planner.rollups.matching import Kept, rewritten
from etl_platform.planner.rollups.reasons import NotUsable, Stage
from etl_platform.planner.rollups.shape import Shape, read_rollup, read_shape
from etl_platform.planner.rollups.splicing import Region, regions, spliced
from etl_platform.planner.tables import tables_of

if TYPE_CHECKING:
    from etl_platform.lakehouse.log import Snapshot

RULE = "rollups"
_Known: TypeAlias = tuple[tuple[TableName, tuple[str, ...]], ...]


def rollups(draft: Draft) -> Draft:
    """Answer an aggregation from a rollup: a model with ``rollup:`` in its header.

    The statement, or a SELECT in parentheses in it, is written over the rollup's columns where the
    rows, names and types stay exactly the same: the rollup groups by the same expressions or finer
    ones, its own conditions follow from the statement's, all that is filtered or joined is one of
    its keys, and every aggregate can be computed from those that it holds. ``month`` from a rollup
    by day, for example::

        SELECT date_trunc('month', day) AS month, sum(amount) FROM sales GROUP BY month
        SELECT date_trunc('month', r.day) AS month, sum(r.amount) FROM sales_by_day AS r GROUP BY ..

    Does not apply when the rollup was made of other versions of its tables than the statement sees,
    when the role does not see all of a table as it is, or may not read the rollup. Of several
    rollups the one with the fewest rows answers; when none can, the nearest is named.
    """
    places = list(regions(draft.tree, draft.sql))
    if not places:
        return draft.unchanged(RULE, "no SELECT that only aggregates tables")
    known = draft.catalog.rollups()
    if not known:
        return draft.unchanged(RULE, "there are no rollups")
    changes: list[tuple[Region, str]] = []
    used: dict[TableName, Snapshot] = {}
    told: list[str] = []
    nearest: NotUsable | None = None
    for place in places:
        try:
            kept, snapshot, sql = _answer(draft, place, known)
        except NotUsable as reason:
            nearest = max(nearest or reason, reason, key=lambda r: r.stage)
            continue
        changes.append((place, sql))
        used[kept.table] = snapshot
        told.append(f"{kept.table} instead of {', '.join(map(str, sorted(kept.shape.tables)))}")
    if not changes:
        return draft.unchanged(RULE, "none" if nearest is None else nearest.reason)
    sql = spliced(draft.sql, changes)
    tree = parse(sql)
    every = {**draft.snapshots, **used}
    return replace(
        draft,
        sql=sql,
        tree=tree,
        snapshots={table: every[table] for table in tables_of(tree)},
        applied=(*draft.applied, Applied(RULE, changed=True, why=", ".join(told))),
    )


def _answer(draft: Draft, place: Region, known: tuple[Rollup, ...]) -> tuple[Kept, Snapshot, str]:
    """The smallest rollup that answers a SELECT, its version, and the SELECT over it."""
    names = {table: tuple(s.schema.names) for table, s in draft.snapshots.items()}
    lower = {table: frozenset(n.lower() for n in columns) for table, columns in names.items()}
    wanted = read_shape(place.select, lower.get)
    tables = sorted(wanted.tables | {join.table for join in wanted.outer})
    made_of = [r for r in known if not wanted.tables.isdisjoint(r.inputs)]
    if not made_of:
        raise NotUsable(f"no rollup is made of {', '.join(map(str, tables))}")
    if any(draft.view_sql(table, "hidden") is not None for table in tables):
        raise NotUsable("the role does not see its tables as they are", Stage.VERSIONS)
    nearest = (-1, Stage.STATEMENT, "no rollup that the role may read as it is")
    types = {table: draft.columns(table) for table in tables}
    columns: list[tuple[str, str]] | None = None
    params = _params(draft, place.select)
    for rollup in _readable(draft, made_of):
        shared = 0
        try:
            missing = rollup.inputs.keys() - wanted.tables
            if missing:
                others = "other tables" if draft.policy is not None else str(min(missing))
                raise NotUsable(f"{rollup.table} is also made of {others}", Stage.TABLES)
            kept = _kept(rollup, names)
            shared = len(kept.shape.columns.keys() & wanted.columns.keys())
            if columns is None:
                columns = _columns(draft, place, types)
            sql = rewritten(wanted, columns, kept, types, params)
            snapshot = draft.catalog.snapshot(rollup.table)
            _check_versions(rollup, snapshot, draft.snapshots)
        except NotUsable as reason:
            nearest = max(nearest, (shared, reason.stage, reason.reason), key=lambda n: n[:2])
            continue
        return kept, snapshot, sql
    raise NotUsable(nearest[2], nearest[1])


def _readable(draft: Draft, rollups: list[Rollup]) -> list[Rollup]:
    """Those that the role sees as they are, the one with the fewest rows first."""
    return sorted((r for r in rollups if _seen_whole(draft, r)), key=lambda r: r.rows)


def _seen_whole(draft: Draft, rollup: Rollup) -> bool:
    if draft.policy is None:
        return True
    try:
        draft.policy.may_read(rollup.table)
        return draft.policy.view_sql(rollup.table, "hidden", rollup.columns) is None
    except QueryRefused:
        return False


def _kept(rollup: Rollup, names: Mapping[TableName, tuple[str, ...]]) -> Kept:
    known = tuple((table, names[table]) for table in sorted(rollup.inputs))
    shape = _shape(rollup.sql, known)
    if isinstance(shape, str):
        raise NotUsable(f"{rollup.table}: {shape}", Stage.TABLES)
    if len(rollup.columns) != len(shape.outputs) or any(
        output.name.lower() not in ("", name.lower())
        for output, name in zip(shape.outputs, rollup.columns, strict=True)
    ):
        raise NotUsable(f"{rollup.table} has other columns than its SQL", Stage.TABLES)
    return Kept(rollup.table, shape, rollup.columns, rollup.floats)


@lru_cache(maxsize=512)
def _shape(sql: str, known: _Known) -> Shape | str:
    """A rollup's SELECT, or why it cannot be read any more: its tables may have changed."""
    columns = {table: frozenset(n.lower() for n in names) for table, names in known}
    tree = parse(sql)
    if not isinstance(tree, exp.Select):
        return "it is not one SELECT"
    try:
        return read_rollup(tree, columns.get)
    except NotUsable as reason:
        return reason.reason


def _check_versions(
    rollup: Rollup, snapshot: Snapshot, pinned: Mapping[TableName, Snapshot]
) -> None:
    """Only what was made of exactly the pinned versions holds what they hold."""
    if snapshot.version != rollup.version:
        raise NotUsable(f"{rollup.table} has just been published again", Stage.VERSIONS)
    for table, version in rollup.inputs.items():
        if pinned[table].version != version:
            raise NotUsable(
                f"rollup {rollup.table} was made of {table} version {version}, "
                f"now {pinned[table].version}",
                Stage.VERSIONS,
            )


def _columns(
    draft: Draft, place: Region, types: Mapping[TableName, Mapping[str, str]]
) -> list[tuple[str, str]]:
    """Names and types of the SELECT's columns as DuckDB has them."""
    if isinstance(draft.params, Mapping):
        return bound(place.of(draft.sql), types, _params(draft, place.select))
    whole = list(draft.params or ()) if place.select is draft.tree else None
    return bound(place.of(draft.sql), types, whole or _params(draft, place.select))


def _params(draft: Draft, select: exp.Select) -> dict[str, object]:
    names = {str(node.this) for node in select.find_all(exp.Placeholder)}
    missing = names - draft.bound.keys()
    if missing:
        raise NotUsable(f"parameter {min(missing)} has no value")
    return {name: draft.bound[name] for name in sorted(names)}
