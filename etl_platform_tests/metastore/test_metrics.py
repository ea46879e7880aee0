"""Histories of metrics: one point per event time, in its order, and no more than are kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from etl_platform.metastore import (
    Metastore,
    MetricFeedbackRecord,
    MetricPointRecord,
    QueryRecord,
    engine,
    migrate,
)

NOON = datetime(2024, 2, 29, 12, tzinfo=UTC)


@pytest.fixture
def store(url: str) -> Metastore:
    return Metastore.open(url)


def point(day: int, version: int | None = None, **fields: object) -> MetricPointRecord:
    defaults: dict[str, object] = {
        "lake": "/lake",
        "table": "shop.orders",
        "event_time": NOON + timedelta(days=day),
        "version": day if version is None else version,
        "metrics": f'{{"rows": {day}}}',
    }
    return MetricPointRecord.model_validate(defaults | fields)


def test_points_come_back_whole_in_the_order_of_their_event_times(store: Metastore) -> None:
    points = [point(2, 0), point(0, 1), point(1, 2)]
    for one in points:
        store.metrics.record(one)
    found = store.metrics.points("shop.orders", lake="/lake")
    assert found == [points[1], points[2], points[0]]
    assert store.metrics.points("shop.orders", lake="/lake", limit=1) == [points[0]]
    until = NOON + timedelta(days=1)
    assert store.metrics.points("shop.orders", lake="/lake", until=until) == [points[1], points[2]]


def test_a_partition_made_again_replaces_its_point(store: Metastore) -> None:
    store.metrics.record(point(1, 4))
    again = point(1, 9, metrics='{"rows": 8}')
    store.metrics.record(again)
    assert store.metrics.points("shop.orders", lake="/lake") == [again]


def test_lakes_tables_and_series_are_apart(store: Metastore) -> None:
    kept = point(1)
    for changed in ({}, {"lake": "/other"}, {"table": "shop.items"}, {"series": "eu"}):
        store.metrics.record(kept.model_copy(update=changed))
    assert store.metrics.points("shop.orders", lake="/lake") == [kept]
    assert store.metrics.series("shop.orders", lake="/lake") == ["", "eu"]


def test_only_the_newest_points_of_a_series_are_kept(store: Metastore) -> None:
    log = replace(store.metrics, retained=3)
    log.record(point(0, series="eu"))
    for day in (5, 1, 4, 2, 3):
        log.record(point(day))
    assert [p.version for p in log.points("shop.orders", lake="/lake")] == [3, 4, 5]
    assert len(log.points("shop.orders", lake="/lake", series="eu")) == 1


def test_feedback_comes_back_in_the_order_in_which_it_was_said(store: Metastore) -> None:
    said = [
        MetricFeedbackRecord(
            lake="/lake", table="shop.orders", metric="rows", kind="normal", since=NOON
        ),
        MetricFeedbackRecord(
            lake="/lake",
            table="shop.orders",
            metric="*",
            kind="mute",
            since=NOON - timedelta(days=1),
            until=NOON,
            note="migration",
        ),
    ]
    for one in said:
        store.metrics.say(one)
    assert store.metrics.feedback("shop.orders", lake="/lake") == said
    assert store.metrics.feedback("shop.items", lake="/lake") == []


def test_a_metastore_without_histories_is_migrated_with_its_rows(url: str) -> None:
    Metastore.open(url).record_query(QueryRecord(sql="SELECT 1"))
    made = engine.create(engine.parse_url(url))
    migrate.downgrade(made, "0002")
    made.dispose()
    store = Metastore.open(url)
    store.metrics.record(point(1))
    assert [query.sql for query in store.queries()] == ["SELECT 1"]
