"""Everything that is advised after the queries of the past."""

from __future__ import annotations

from collections.abc import Sequence

from etl_platform.planner.advice.layouts import layouts
from etl_platform.planner.advice.rollup_mining import rollups
from etl_platform.planner.advice.suggestion import Asked, Suggestion
from etl_platform.planner.advice.workload import workload
from etl_platform.planner.catalog import Catalog
from etl_platform.planner.policy import TablePolicies


def suggestions(
    asked: Sequence[Asked],
    catalog: Catalog,
    policy: TablePolicies | None = None,
    least_runs: int = 3,
) -> list[Suggestion]:
    """Partitions, sort orders and rollups that would have saved most, largest saving first.

    Each is estimated alone: what one saves, another one no longer can.

    Args:
        asked: queries of the past.
        catalog: the tables as they are now, and their profiles.
        policy: of the role; nothing is said of tables that it changes.
        least_runs: to conclude anything from.
    """
    uses = workload(asked, catalog, policy)
    found = [*layouts(uses, catalog, least_runs), *rollups(uses, catalog, least_runs)]
    return sorted(found, key=lambda one: -one.saved_bytes)
