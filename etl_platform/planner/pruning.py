"""What the rules that leave out files have in common."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from etl_platform.core.errors import EtlError
from etl_platform.core.names import TableName
from etl_platform.core.staged import DataFile
from etl_platform.planner.conditions import Condition
from etl_platform.planner.draft import Draft
from etl_platform.planner.references import Reference, references
from etl_platform.planner.sources import Columns
from etl_platform.planner.views import ROWS, view_columns, view_conditions
from etl_platform.planner.weakening import Typed


def several(draft: Draft) -> list[TableName]:
    """The tables of which more than one file is to be read."""
    return [table for table in draft.snapshots if len(draft.files_of(table)) > 1]


def references_of(draft: Draft) -> dict[TableName, list[Reference]]:
    """Every place that names a table, with the conditions of its policy's view added."""
    columns: dict[TableName, Columns] = {}
    further: dict[TableName, list[Condition]] = {}
    for table in draft.snapshots:
        known = draft.columns(table)
        view = draft.view_sql(table, ROWS.name)
        if view is None:
            columns[table] = {name.lower(): Typed(name, kind) for name, kind in known.items()}
        else:
            try:
                columns[table] = view_columns(view, known)
                further[table] = view_conditions(view, known)
            except EtlError:
                columns[table] = {}  # DuckDB understands more than is needed to choose files
    texts = frozenset(name for name, value in draft.bound.items() if isinstance(value, str))
    found = references(draft.tree, columns, texts)
    for table, conditions in further.items():
        for place in found.get(table, ()):
            place.conditions.extend(conditions)
    return found


def kept(draft: Draft, rule: str, chosen: Mapping[TableName, Collection[int]]) -> Draft:
    """The draft with only the chosen files of some tables, by their places in the snapshot."""
    files: dict[TableName, tuple[DataFile, ...]] = {}
    told: list[str] = []
    for table, places in sorted(chosen.items()):
        all_files = draft.snapshots[table].files
        before = len(draft.files_of(table))
        if len(places) < before:
            files[table] = tuple(all_files[place] for place in sorted(places))
            told.append(f"{table}: {len(places)} of {len(all_files)} files")
    if not files:
        return draft.unchanged(rule, "every file may hold rows that matter")
    return draft.pruned(rule, "; ".join(told), files)
