"""Metrics of what Dagster knows: runs and how long they took, and deadlines of assets."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from etl_platform.components.sla.gathering import kept

BUCKETS_S = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0)
_PAGE = 1_000
_SLA_LOOKBACK = timedelta(days=2)
_AGAIN = timedelta(seconds=5)
"""Records are looked at again for so long: clocks of machines differ."""
_WAITING = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)
_ENDED = (
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
)


@dataclass(slots=True)
class _Durations:
    """The runs of one job that ended in one way, by how long they took."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_S) + 1))
    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(BUCKETS_S, seconds)] += 1
        self.seconds += seconds

    def buckets(self) -> list[tuple[str, float]]:
        total, found = 0, list[tuple[str, float]]()
        for bound, count in zip((*BUCKETS_S, None), self.counts, strict=True):
            total += count
            found.append(("+Inf" if bound is None else str(bound), total))
        return found


class RunMetrics:
    """Families about runs. Ended runs are read once; a new process reads all that are stored.

    Args:
        graph: assets whose deadlines are told; None tells none.
    """

    def __init__(
        self, instance: dg.DagsterInstance, graph: BaseAssetGraph[Any] | None = None
    ) -> None:
        self._instance = instance
        self._graph = graph
        self._durations: dict[tuple[str, str], _Durations] = {}
        self._counted: set[str] = set()
        self._since: datetime | None = None

    def collect(self) -> Iterator[Metric]:
        """Every family."""
        self._read_ended()
        waiting = GaugeMetricFamily("etl_runs_in_progress", "Runs now.", labels=["status"])
        for status in _WAITING:
            count = self._instance.get_runs_count(dg.RunsFilter(statuses=[status]))
            waiting.add_metric([status.value.lower()], count)
        labels = ["job", "status"]
        ended = CounterMetricFamily("etl_runs", "Runs that ended.", labels=labels)
        took = HistogramMetricFamily(
            "etl_run_duration_seconds", "From a run's start to its end.", labels=labels
        )
        # Also what has not happened yet: a counter that appears at 1 is no increase to Prometheus.
        for job in {job for job, _ in self._durations}:
            for status in _ENDED:
                self._durations.setdefault((job, status.value.lower()), _Durations())
        for (job, status), one in sorted(self._durations.items()):
            ended.add_metric([job, status], sum(one.counts))
            took.add_metric([job, status], one.buckets(), one.seconds)
        yield from (waiting, ended, took)
        if self._graph is not None:
            yield from self._deadlines(self._graph)

    def _read_ended(self) -> None:
        began = datetime.now(UTC)
        asked = dg.RunsFilter(statuses=list(_ENDED), updated_after=self._since)
        cursor: str | None = None
        while True:
            page = self._instance.get_run_records(asked, limit=_PAGE, cursor=cursor)
            for record in page:
                run = record.dagster_run
                if run.run_id in self._counted:
                    continue
                self._counted.add(run.run_id)
                start, end = record.start_time, record.end_time
                took_s = end - start if start is not None and end is not None else 0.0
                key = run.job_name, run.status.value.lower()
                self._durations.setdefault(key, _Durations()).add(took_s)
            if len(page) < _PAGE:
                break
            cursor = page[-1].dagster_run.run_id
        self._since = began - _AGAIN

    def _deadlines(self, graph: BaseAssetGraph[Any]) -> Iterator[Metric]:
        late = GaugeMetricFamily(
            "etl_sla_late_seconds",
            "How late the newest deadline that is over was kept, or still is.",
            labels=["asset"],
        )
        missed = GaugeMetricFamily(
            "etl_sla_deadlines", "Deadlines of the last two days.", labels=["asset", "status"]
        )
        now = datetime.now(UTC)
        newest: dict[str, float] = {}
        counted: Counter[tuple[str, str]] = Counter()
        for one in kept(self._instance, graph, now, _SLA_LOOKBACK):
            counted[one.asset, one.status] += 1
            if one.expected_by <= now:
                newest[one.asset] = one.late_s or 0.0
        for asset, seconds in newest.items():
            late.add_metric([asset], seconds)
        for (asset, status), count in counted.items():
            missed.add_metric([asset, status], count)
        yield from (late, missed)
