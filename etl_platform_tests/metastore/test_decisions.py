"""The log of engine decisions keeps what was decided, and ends each once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from etl_platform.metastore import DecisionRecord, Metastore, QueryRecord, engine, migrate

NOON = datetime(2024, 2, 29, 12, tzinfo=UTC)


@pytest.fixture
def store(url: str) -> Metastore:
    return Metastore.open(url)


def decision(number: int, **fields: object) -> DecisionRecord:
    defaults: dict[str, object] = {
        "decision_id": f"d{number}",
        "task": "extract",
        "source": "shop",
        "kind": "postgresql",
        "table": "shop.orders",
        "shape_key": "int:3",
        "size_class": "large",
        "engine": "copy",
        "reason": "fastest",
        "decided_at": NOON + timedelta(minutes=number),
    }
    return DecisionRecord.model_validate(defaults | fields)


def ids(records: list[DecisionRecord]) -> list[str]:
    return [record.decision_id for record in records]


def test_a_decision_comes_back_whole_with_its_end(store: Metastore) -> None:
    made = decision(1, candidates='[{"engine": "copy"}]', rows_estimated=2**40, predicted_s=1.5)
    store.decisions.add(made)
    assert store.decisions.newest() == [made]
    store.decisions.finish(
        "d1", "done", rows=2**40, seconds=2.5, peak_bytes=2**33, finished_at=NOON
    )
    ended = {"outcome": "done", "rows": 2**40, "seconds": 2.5, "peak_bytes": 2**33}
    assert store.decisions.newest("shop.orders") == [
        made.model_copy(update={**ended, "finished_at": NOON})
    ]


def test_the_first_end_of_a_decision_counts(store: Metastore) -> None:
    store.decisions.add(decision(1))
    store.decisions.finish("d1", "done", rows=1, seconds=1.0)
    store.decisions.finish("d1", "failed", rows=2, seconds=2.0, error="late")
    (found,) = store.decisions.newest()
    assert (found.outcome, found.rows, found.error) == ("done", 1, None)


def test_only_what_ended_is_evidence_and_only_what_did_not_is_in_flight(store: Metastore) -> None:
    for number in (1, 2, 3):
        store.decisions.add(decision(number))
    store.decisions.finish("d2", "done", rows=1, seconds=1.0)
    log = store.decisions
    assert ids(log.of_table("extract", "shop", "shop.orders", "large")) == ["d2"]
    assert ids(log.in_flight("shop", NOON)) == ["d3", "d1"]
    assert ids(log.in_flight("shop", NOON + timedelta(minutes=2))) == ["d3"]
    assert log.in_flight("other", NOON) == []


def test_evidence_is_found_by_table_by_shape_and_by_engine(store: Metastore) -> None:
    others = (
        {"table": "shop.items"},
        {"table": "shop.wide", "shape_key": "int:9"},
        {"source": "crm"},
        {"task": "load"},
        {"size_class": "small"},
        {"engine": "adbc"},
        {"kind": "mysql"},
    )
    for number, changed in enumerate(({}, *others)):
        store.decisions.add(decision(number, **changed))
        store.decisions.finish(f"d{number}", "done", rows=1, seconds=1.0)
    log = store.decisions
    assert ids(log.of_table("extract", "shop", "shop.orders", "large")) == ["d7", "d6", "d0"]
    assert ids(log.of_shape("extract", "shop", "int:3", "large")) == ["d7", "d6", "d1", "d0"]
    assert ids(log.of_engine("extract", "postgresql", "copy", limit=2)) == ["d5", "d3"]
    assert ids(log.of_engines("extract", "postgresql", "shop.items")) == ["d1"]
    assert (log.count("shop.orders"), log.count("shop.absent")) == (6, 0)


def test_a_metastore_of_the_first_release_is_migrated_with_its_rows(url: str) -> None:
    Metastore.open(url).record_query(QueryRecord(sql="SELECT 1"))
    made = engine.create(engine.parse_url(url))
    migrate.downgrade(made, "0001")
    made.dispose()
    store = Metastore.open(url)
    store.decisions.add(decision(1))
    assert [query.sql for query in store.queries()] == ["SELECT 1"]
