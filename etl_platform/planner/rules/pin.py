"""Every table at one version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl_platform.core.errors import UnknownName
from etl_platform.core.names import TableName
from etl_platform.planner.draft import Draft
from etl_platform.planner.tables import check_tables, tables_of

if TYPE_CHECKING:
    from etl_platform.lakehouse.log import Snapshot

RULE = "pin"


def pin(draft: Draft) -> Draft:
    """Fix the version of every table that the statement names.

    However often a table is named, the whole statement sees one version of it, also when others
    publish meanwhile, and running the plan again gives the same rows.

    Raises:
        UnknownName: a table does not exist, with line, column and nearest name.
        QueryRefused: the role may not read a table.
    """
    snapshots: dict[TableName, Snapshot] = {}
    for table in sorted(tables_of(draft.tree)):
        try:
            if draft.policy is not None:
                draft.policy.may_read(table)
            known = draft.snapshots.get(table)
            snapshots[table] = known or draft.catalog.snapshot(table)
        except UnknownName:
            # Looking up every name is left until one is missing: then it is said where it stands.
            check_tables(draft.tree, draft.catalog.names())
            raise
    if not snapshots:
        return draft.unchanged(RULE, "the statement reads no table")
    why = ", ".join(f"{table} at version {s.version}" for table, s in snapshots.items())
    return draft.pinned(RULE, why, snapshots)
