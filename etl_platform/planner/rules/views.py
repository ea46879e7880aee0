"""Views are read as the SELECT that they are."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from etl_platform.core.errors import QueryRefused, UnknownName
from etl_platform.core.names import TableName
from etl_platform.core.types import duckdb_type
from etl_platform.planner.draft import Draft
from etl_platform.planner.parsing import parse
from etl_platform.planner.plan import Applied
from etl_platform.planner.stored_views import expanded

if TYPE_CHECKING:
    from etl_platform.lakehouse.log import Snapshot

RULE = "views"


def read_views(draft: Draft) -> Draft:
    """Put each view's SELECT in the place of its name; what it reads is looked up for :func:`pin`.

    A role sees of a view what it sees of the tables that the view reads, and has to be allowed to
    read both. Leaves the draft as it is when the statement reads no view.

    Raises:
        QueryRefused: the role may not read a view, or its policy would change what is seen of one.
        PermanentError: views read each other in a circle.
    """

    def find(table: TableName) -> Snapshot | None:
        if draft.policy is not None:
            draft.policy.may_read(table)
        try:
            return draft.catalog.snapshot(table)
        except UnknownName:
            return None  # pin says where it stands

    found = expanded(draft.sql, find)
    for view, snapshot in found.views.items():
        columns = {field.name: duckdb_type(field.type) for field in snapshot.schema}
        changed = draft.policy is not None and draft.policy.view_sql(view, "hidden", columns)
        if changed:
            raise QueryRefused(
                f"{view} is a view, and the policy hides or changes a part of it",
                fix="say in the policies what is seen of the tables that the view reads",
            )
    if not found.views:
        return replace(draft, snapshots=found.tables)
    why = ", ".join(f"{view} as of version {s.version}" for view, s in found.views.items())
    return replace(
        draft,
        sql=found.sql,
        tree=parse(found.sql),
        snapshots=found.tables,
        applied=(*draft.applied, Applied(RULE, changed=True, why=f"{why} is read as its SELECT")),
    )
