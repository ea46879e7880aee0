"""Who reads a table's columns, as far as Dagster's asset graph and the recorded lineage tell."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg

from etl_platform.publishing.upstream import asset_graph

if TYPE_CHECKING:
    # What `repository_def.asset_graph` returns has no public name.
    from dagster._core.definitions.assets.graph.asset_graph import AssetGraph

    from etl_platform.sources.database.drift import ColumnDrift

_LINEAGE = "dagster/column_lineage"
_SHOWN_CHARACTERS = 4_000


@dataclass(frozen=True, slots=True)
class Affected:
    """An asset downstream. ``columns`` are those computed from the changed ones; None where the
    lineage is not known (an asset that never ran, or whose columns cannot be traced)."""

    asset: dg.AssetKey
    columns: tuple[str, ...] | None

    def __str__(self) -> str:
        name = "/".join(self.asset.path)
        if self.columns is None:
            return f"{name} (its columns' origin is not known)"
        if not self.columns:
            return f"{name} (no column is computed from them; which rows it has may depend on them)"
        return f"{name}: {', '.join(self.columns)}"


def affected_by(
    context: dg.AssetExecutionContext, columns: Collection[str], asset: dg.AssetKey | None = None
) -> tuple[Affected, ...]:
    """Every asset downstream of the one that runs, nearest first, with the columns it computes from
    the given ones.

    Args:
        asset: which one, where a run's step makes several.

    The lineage is that of each asset's definition or, where it has none, of its last
    materialisation.
    """
    graph = asset_graph(context)
    start = context.asset_key if asset is None else asset
    changed: dict[dg.AssetKey, set[str] | None] = {start: set(columns)}
    waiting, order = deque([start]), list[dg.AssetKey]()
    while waiting:
        parent = waiting.popleft()
        for child in sorted(graph.get(parent).child_keys):
            computed = _computed(context, graph, parent, child, changed[parent])
            seen = child in changed
            before = changed.get(child)
            merged = (
                None
                if computed is None or (seen and before is None)
                else (before or set()) | computed
            )
            if seen and merged == before:
                continue
            changed[child] = merged
            if not seen:
                order.append(child)
            waiting.append(child)
    return tuple(
        Affected(key, None if (found := changed[key]) is None else tuple(sorted(found)))
        for key in order
    )


def drift_report(
    context: dg.AssetExecutionContext,
    drift: Collection[ColumnDrift],
    asset: dg.AssetKey | None = None,
) -> str:
    """What changed of the columns, and who computes something from them: a line each."""
    affected = affected_by(context, {one.column for one in drift}, asset)
    lines = [f"    {one}" for one in drift]
    if affected:
        lines += ["  downstream:", *(f"    {one}" for one in affected)]
    return "\n".join(lines)


def _computed(
    context: dg.AssetExecutionContext,
    graph: AssetGraph,
    parent: dg.AssetKey,
    child: dg.AssetKey,
    changed: set[str] | None,
) -> set[str] | None:
    """The child's columns that are computed from the parent's changed ones; None if unknown."""
    lineage = _lineage(graph.get(child).metadata.get(_LINEAGE))
    if lineage is None:
        event = context.instance.get_latest_materialization_event(child)
        done = event.asset_materialization if event else None
        lineage = _lineage(done.metadata.get(_LINEAGE)) if done else None
    if lineage is None or changed is None:
        return None
    return {
        column
        for column, sources in lineage.deps_by_column.items()
        if any(one.asset_key == parent and one.column_name in changed for one in sources)
    }


def _lineage(found: object) -> dg.TableColumnLineage | None:
    if isinstance(found, dg.TableColumnLineageMetadataValue):
        return found.column_lineage
    return found if isinstance(found, dg.TableColumnLineage) else None


def drift_entry(drift: tuple[ColumnDrift, ...]) -> dict[str, dg.MetadataValue]:
    """What changed, for the materialisation."""
    if not drift:
        return {}
    text = "\n".join(map(str, drift))[:_SHOWN_CHARACTERS]
    return {"schema_drift": dg.MetadataValue.text(text)}
