"""What is recorded is read back as it was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import ValidationError

from etl_platform.metastore import Metastore, QueryRecord, ReceiptRecord

NOON = datetime(2024, 2, 29, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def store(url: str) -> Metastore:
    return Metastore.open(url)


def receipt(version: int, table: str = "shop.orders", **fields: object) -> ReceiptRecord:
    defaults = {
        "lake": "/lake",
        "mode": "append",
        "published_at": NOON + timedelta(minutes=version),
    }
    return ReceiptRecord.model_validate(
        {"table": table, "version_after": version, **defaults, **fields}
    )


def test_a_receipt_comes_back_whole(store: Metastore) -> None:
    kept = receipt(
        7,
        version_before=6,
        rows_inserted=2**40,
        rows_updated=1,
        rows_deleted=2,
        rows_total=2**40 + 5,
        size_bytes=2**45,
        files_added=3,
        files_removed=4,
        seconds=0.125,
        checksum="🦆 ab'c\"",
        batch="2024-02-29",
        run_id="run",
    )
    store.record_receipt(kept)
    assert store.receipts("shop.orders") == [kept]


def test_receipts_are_newest_first_and_limited(store: Metastore) -> None:
    for version in (1, 3, 2):
        store.record_receipt(receipt(version))
    store.record_receipt(receipt(9, table="shop.items"))
    assert [r.version_after for r in store.receipts("shop.orders", limit=2)] == [3, 2]
    assert store.receipts(limit=1)[0].table == "shop.items"
    assert store.receipts("shop.absent") == []


def test_a_receipt_recorded_twice_is_kept_once_as_it_was_last(store: Metastore) -> None:
    store.record_receipt(receipt(1, rows_total=5))
    store.record_receipt(receipt(1, rows_total=6))
    store.record_receipt(receipt(1, lake="s3://other/lake", rows_total=7))
    assert sorted(r.rows_total for r in store.receipts()) == [6, 7]


def test_a_time_keeps_its_instant_whatever_zone_it_came_in(store: Metastore) -> None:
    tokyo = timezone(timedelta(hours=9))
    store.record_receipt(receipt(1, published_at=NOON.astimezone(tokyo)))
    [found] = store.receipts()
    assert found.published_at == NOON
    assert found.published_at.utcoffset() == timedelta(0)


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValidationError, match="timezone"):
        receipt(1, published_at=datetime(2024, 1, 1))


def test_the_last_audit_is_also_one_that_was_kept_out(store: Metastore) -> None:
    store.record_audit("shop.orders", 4, "good", '[{"rule": "positive"}]')
    store.record_audit("shop.items", 1, None, "[]")
    store.record_audit("shop.orders", None, "bad", "[]", lake="/lake")
    last = store.last_audit("shop.orders")
    assert last is not None
    assert (last.version, last.run_id, last.lake) == (None, "bad", "/lake")
    assert store.last_audit("shop.absent") is None
    assert {t: a.run_id for t, a in store.last_audits().items()} == {
        "shop.orders": "bad",
        "shop.items": None,
    }


def test_audits_of_one_lake_are_not_those_of_another(store: Metastore) -> None:
    store.record_audit("shop.orders", 1, "ours", "[]", lake="/ours")
    store.record_audit("shop.orders", 1, "theirs", "[]", lake="/theirs")
    assert [a.run_id for a in store.last_audits("/ours").values()] == ["ours"]
    ours = store.last_audit("shop.orders", "/ours")
    assert ours is not None
    assert ours.run_id == "ours"


def test_a_profile_is_found_by_version_and_partition(store: Metastore) -> None:
    store.record_profile("shop.orders", 1, None, "one")
    store.record_profile("shop.orders", 2, "2024-01-01", "two, january")
    store.record_profile("shop.orders", 2, None, "two")
    store.record_profile("shop.orders", 2, None, "two, again")

    def text(version: int | None = None, partition: str | None = None) -> str | None:
        found = store.profile("shop.orders", version, partition)
        return found.profile if found else None

    assert text() == "two, again"
    assert text(1) == "one"
    assert text(2, "2024-01-01") == "two, january"
    assert text(3) is None
    newest = store.profile("shop.orders")
    assert newest is not None
    assert newest.partition is None


def test_queries_are_a_history(store: Metastore) -> None:
    first = QueryRecord(sql="SELECT 1", rows=1, seconds=0.5, tables='{"shop.orders": 3}')
    refused = QueryRecord(sql="DROP TABLE x", status="refused", error="read-only", role="analyst")
    store.record_query(first)
    store.record_query(refused)
    assert store.queries() == [refused, first]
    assert store.queries(limit=1) == [refused]
