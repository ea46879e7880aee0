"""Queries are found again by number, key and name; older databases keep what they recorded."""

from __future__ import annotations

import sqlalchemy as sa

from etl_platform.metastore import Metastore, QueryRecord, SavedQueryRecord, engine, migrate


def test_a_query_is_found_by_its_number(url: str) -> None:
    store = Metastore.open(url)
    for status in ("ok", "refused"):
        store.record_query(QueryRecord(sql=f"SELECT '{status}'", status=status, role="analyst"))
    newest, oldest = store.history.newest(role="analyst")
    assert (newest.status, oldest.status, newest.id > oldest.id) == ("refused", "ok", True)
    assert store.history.newest(status="ok") == [oldest]
    assert store.history.newest(role="someone else") == []
    assert store.history.get(oldest.id) == oldest
    assert store.history.get(newest.id + 1) is None


def test_what_a_plan_took_is_known_without_answers_from_the_cache(url: str) -> None:
    store = Metastore.open(url)
    ran = QueryRecord(sql="SELECT 1", key="k", seconds=2.5, scanned_bytes=2**40, predicted_s=2.0)
    store.record_query(ran)
    for other in ({"cached": True}, {"status": "failed"}, {"key": "other"}):
        store.record_query(ran.model_copy(update=other))
    assert store.history.runs("k") == [ran]


def test_saving_under_a_name_replaces_and_forgetting_removes(url: str) -> None:
    history = Metastore.open(url).history
    first = SavedQueryRecord(name="late", sql="SELECT 1")
    second = SavedQueryRecord(name="late", sql="SELECT 2", description="two")
    other = SavedQueryRecord(name="early", sql="SELECT 3")
    for record in (first, second, other):
        history.save(record)
    assert history.saved() == [other, second]
    history.forget("late")
    history.forget("late")
    assert history.saved() == [other]


def test_queries_recorded_by_the_revision_before_stay_readable(url: str) -> None:
    store = Metastore.open(url)
    store.record_query(QueryRecord(sql="SELECT 1"))
    database = engine.create(engine.parse_url(url))
    migrate.downgrade(database, "0003")
    assert "cached" not in {c["name"] for c in sa.inspect(database).get_columns("queries")}
    database.dispose()
    [kept] = Metastore.open(url).history.newest()
    assert (kept.sql, kept.cached, kept.params, kept.key) == ("SELECT 1", False, "[]", None)
