"""Advice: what the definitions know of an asset that is in trouble."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import dagster as dg
from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph

from etl_platform.core.names import TableName
from etl_platform.monitoring.alerts import Advice, Kind

_MOST_DOWNSTREAM = 12


@dataclass(frozen=True, slots=True)
class Advisor:
    """Looks into the asset graph of the code location."""

    graph: BaseAssetGraph[Any]
    base_url: str | None = None

    def advise(self, kind: Kind, asset: dg.AssetKey | None, run_id: str | None = None) -> Advice:
        """Owner, group and tags of an asset, what reads it, where to look and what to do."""
        link = self._link(asset, run_id)
        step = _next_step(kind, asset, run_id)
        if asset is None or not self.graph.has(asset):
            return Advice(link=link, next_step=step)
        node = self.graph.get(asset)
        return Advice(
            group=node.group_name,
            owners=tuple(node.owners),
            tags=dict(node.tags),
            downstream=self._downstream(asset),
            link=link,
            next_step=step,
        )

    def _downstream(self, asset: dg.AssetKey) -> tuple[str, ...]:
        """Those that read it first come first."""
        seen, queue = [asset], deque([asset])
        while queue:
            for child in sorted(self.graph.get(queue.popleft()).child_keys):
                if child not in seen:
                    seen.append(child)
                    queue.append(child)
        names = [key.to_user_string() for key in seen[1:]]
        more = len(names) - _MOST_DOWNSTREAM
        return (*names[:_MOST_DOWNSTREAM], *([f"and {more} more"] if more > 0 else []))

    def _link(self, asset: dg.AssetKey | None, run_id: str | None) -> str | None:
        if self.base_url is None:
            return None
        base = self.base_url.rstrip("/")
        if run_id:
            return f"{base}/runs/{run_id}"
        return f"{base}/assets/{'/'.join(asset.path)}" if asset else base


def _next_step(kind: Kind, asset: dg.AssetKey | None, run_id: str | None) -> str:
    key = asset.to_user_string() if asset else "KEY"
    table = TableName(*asset.path).sql if asset and len(asset.path) == 2 else key
    match kind:
        case "run_failure":
            return f"mend the cause, then: etl resume {run_id}"
        case "check_blocked":
            return f"readers keep the last good version; mend the data, then: etl resume {run_id}"
        case "check_failed":
            return f"look at the check's sample and page; etl status; etl receipts {table}"
        case "anomaly":
            return f"etl anomalies {table}; when it is right: --normal METRIC"
        case "freshness" | "sla":
            return f"look for its last run; etl materialize {key}"
        case "stream_lag":
            return "is the stream's sensor on, do its runs fail? etl status"
        case "dead_letters":
            return (
                f"etl query 'SELECT * FROM {table}__dead_letter'; etl replay-dead-letters {table}"
            )
        case "slow_run":
            return "compare with earlier runs of the job; etl engines"
