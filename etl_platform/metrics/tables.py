"""Metrics of what the lake and the metastore know; units are in the names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from etl_platform.monitoring.status import TableStatus, table_statuses

if TYPE_CHECKING:
    from etl_platform.monitoring.streams import StreamStatus
    from etl_platform.platform import Platform


class TableMetrics:
    """Families about the tables of one lake; each look reads the lake and the metastore anew."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def collect(self) -> Iterator[Metric]:
        """Every family, with a sample for each table that has the number."""
        lake, metastore = self._platform.lake, self._platform.metastore
        statuses = table_statuses(lake, metastore)
        yield from _tables(statuses)
        yield from _streams([one.stream for one in statuses if one.stream is not None])
        yield from self._publications(lake.uri)
        yield from self._engines()
        yield from self._queries()
        yield from self._steps()
        incidents = GaugeMetricFamily(
            "etl_open_incidents", "What alerts have opened and not closed.", labels=["severity"]
        )
        severities = [one.severity for one in metastore.alerts.incidents(still_open=True)]
        for severity in sorted(set(severities)):
            incidents.add_metric([severity], severities.count(severity))
        yield incidents

    def _publications(self, lake: str) -> Iterator[Metric]:
        labels = ["table", "mode"]
        count = CounterMetricFamily("etl_publications", "Versions published.", labels=labels)
        seconds = CounterMetricFamily(
            "etl_publish_seconds", "Time that publications took.", labels=labels
        )
        rows = CounterMetricFamily(
            "etl_published_rows", "Rows changed by publications.", labels=["table", "change"]
        )
        changed: dict[tuple[str, str], int] = {}
        for one in self._platform.metastore.totals.published(lake):
            count.add_metric([one.table, one.mode], one.count)
            seconds.add_metric([one.table, one.mode], one.seconds)
            for change in ("inserted", "updated", "deleted"):
                key = one.table, change
                changed[key] = changed.get(key, 0) + int(getattr(one, change))
        for (table, change), total in changed.items():
            rows.add_metric([table, change], total)
        yield from (count, seconds, rows)

    def _engines(self) -> Iterator[Metric]:
        labels = ["task", "engine", "outcome"]
        chosen = CounterMetricFamily(
            "etl_engine_choices", "How often an engine was chosen, by outcome.", labels=labels
        )
        seconds = CounterMetricFamily(
            "etl_engine_seconds", "Time that chosen engines took.", labels=labels
        )
        for one in self._platform.metastore.totals.decided():
            chosen.add_metric([one.task, one.engine, one.outcome], one.count)
            seconds.add_metric([one.task, one.engine, one.outcome], one.seconds)
        yield from (chosen, seconds)

    def _steps(self) -> Iterator[Metric]:
        ended = CounterMetricFamily("etl_steps", "Tries of steps.", labels=["asset", "outcome"])
        seconds = CounterMetricFamily("etl_step_seconds", "Time of steps.", labels=["asset"])
        cpu = CounterMetricFamily(
            "etl_step_cpu_seconds", "Processor time of steps' processes.", labels=["asset"]
        )
        moved = CounterMetricFamily(
            "etl_step_io_bytes", "Bytes that steps' processes moved.", labels=["asset", "direction"]
        )
        peak = GaugeMetricFamily(
            "etl_step_peak_memory_bytes", "Most memory of a step's process.", labels=["asset"]
        )
        for one in self._platform.metastore.totals.used():
            ended.add_metric([one.asset, "success"], one.steps - one.failed)
            ended.add_metric([one.asset, "failure"], one.failed)
            seconds.add_metric([one.asset], one.seconds)
            cpu.add_metric([one.asset], one.cpu_s)
            moved.add_metric([one.asset, "read"], one.read_bytes)
            moved.add_metric([one.asset, "written"], one.written_bytes)
            peak.add_metric([one.asset], one.peak_memory_bytes)
        yield from (ended, seconds, cpu, moved, peak)

    def _queries(self) -> Iterator[Metric]:
        labels = ["status", "cached"]
        count = CounterMetricFamily(
            "etl_queries", "Queries of the query tool; cached: from a stored result.", labels=labels
        )
        seconds = CounterMetricFamily("etl_query_seconds", "Time that they took.", labels=labels)
        for one in self._platform.metastore.totals.asked():
            key = [one.status, str(one.cached).lower()]
            count.add_metric(key, one.count)
            seconds.add_metric(key, one.seconds)
        yield from (count, seconds)


def _tables(statuses: tuple[TableStatus, ...]) -> Iterator[Metric]:
    def gauge(name: str, about: str, *more: str) -> GaugeMetricFamily:
        return GaugeMetricFamily(name, about, labels=["table", *more])

    version = gauge("etl_table_version", "The version that readers see.")
    rows = gauge("etl_table_rows", "Rows of that version.")
    size = gauge("etl_table_size_bytes", "Size of its files.")
    published = gauge("etl_table_published_timestamp_seconds", "When it was published.")
    quarantined = gauge("etl_table_quarantined_rows", "Rows kept aside by rules.")
    state = gauge("etl_table_state", "1 for the state of the last audit.", "state")
    rules = gauge("etl_rules", "Rules of the last audit, by what it found.", "status")
    for one in statuses:
        table = [one.table]
        if one.version is not None and one.published_at is not None:
            version.add_metric(table, one.version)
            rows.add_metric(table, one.rows or 0)
            size.add_metric(table, one.size_bytes or 0)
            published.add_metric(table, one.published_at.timestamp())
        quarantined.add_metric(table, one.quarantined_rows)
        state.add_metric([one.table, one.state.value], 1)
        if one.audit is not None:
            for status in ("passed", "failed", "not_run"):
                rules.add_metric([one.table, status], getattr(one.audit, status))
    yield from (version, rows, size, published, quarantined, state, rules)


def _streams(found: list[StreamStatus]) -> Iterator[Metric]:
    def gauge(name: str, about: str) -> GaugeMetricFamily:
        return GaugeMetricFamily(name, about, labels=["table"])

    lag = gauge("etl_stream_lag_messages", "Messages that are not published.")
    wait = gauge("etl_stream_lag_seconds", "How long the oldest of them can have waited.")
    unfinished = gauge("etl_stream_unfinished_batches", "Batches cut and not published.")
    letters = gauge("etl_stream_dead_letters", "Messages in the dead letter table.")
    seen = gauge("etl_stream_seen_timestamp_seconds", "When the broker answered last.")
    failing = gauge("etl_stream_failing", "1 when the broker did not answer since.")
    behind = gauge("etl_window_delay_seconds", "How far the watermark is behind now.")
    for one in found:
        table = [one.stream]
        if one.lag_rows is not None:
            lag.add_metric(table, one.lag_rows)
        if one.lag_s is not None:
            wait.add_metric(table, one.lag_s)
        unfinished.add_metric(table, one.unfinished)
        letters.add_metric(table, one.dead_letters or 0)
        seen.add_metric(table, one.seen_at.timestamp())
        failing.add_metric(table, one.error is not None)
        for window in one.windows:
            if window.delay_s is not None:
                behind.add_metric([window.table], window.delay_s)
    yield from (lag, wait, unfinished, letters, seen, failing, behind)
