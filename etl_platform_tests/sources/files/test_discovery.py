"""What is new, written again or gone: listings beside ledgers."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_platform.core.objects import ObjectInfo
from etl_platform.sources.files.discovery import Limits, compare, look
from etl_platform.sources.files.ledger import Entry, read_ledger, write_ledger

NOON = dt.datetime(2024, 1, 1, 12, tzinfo=dt.UTC)


def info(key: str, etag: str = "1", size: int = 10, at: dt.datetime = NOON) -> ObjectInfo:
    return ObjectInfo(key, size, etag, at)


def entry(key: str, etag: str = "1", reason: str | None = None) -> Entry:
    return Entry(key, etag, 10, 5, reason)


def keys(found: list[object]) -> list[str]:
    return [getattr(one, "key", None) or one.info.key for one in found]  # type: ignore[attr-defined]


def test_new_rewritten_and_gone_objects_are_told_apart() -> None:
    listing = [info("a"), info("b", "2"), info("d"), info("e")]
    ledger = [entry("a"), entry("b"), entry("c"), entry("d", reason="bad")]
    found = look(listing, ledger, removes=True)
    assert [(one.info.key, one.before) for one in found.news] == [("b", entry("b")), ("e", None)]
    assert keys(found.gone) == ["c"]  # type: ignore[arg-type]
    assert (found.listed, found.bad, found.waiting) == (4, 1, 0)
    assert keys(look(listing, ledger, again=True).news) == ["b", "d", "e"]  # type: ignore[arg-type]
    assert not look(listing, ledger).gone


def test_what_is_too_much_or_too_young_waits() -> None:
    later = NOON + dt.timedelta(seconds=1)
    listing = [info("a"), info("b", at=later), info("c"), info("d", size=100), info("e")]
    found = look(listing, [], limits=Limits(files=2), settled_before=NOON)
    assert keys(found.news) == ["a", "c"]  # type: ignore[arg-type]
    assert (found.unsettled, found.waiting) == (1, 2)
    # One object above all limits is loaded all the same.
    assert keys(look([info("d", size=100), info("e")], [], limits=Limits(9, 50)).news) == ["d"]  # type: ignore[arg-type]


def test_the_digest_is_of_what_is_to_be_done() -> None:
    before = look([info("a"), info("b")], [entry("a")]).digest
    assert look([info("a"), info("b")], [entry("a")]).digest == before
    assert look([info("a"), info("b", "2")], [entry("a")]).digest != before
    assert look([info("a")], [entry("a")]).digest == look([], []).digest
    assert look([], [entry("a")], removes=True).digest != look([], []).digest


def test_keys_that_are_not_utf8_are_counted() -> None:
    found = look([info("a\udcff"), info("b")], [])
    assert (keys(found.news), found.unnamed) == (["b"], 1)  # type: ignore[arg-type]


@given(st.sets(st.text(max_size=4)), st.sets(st.text(max_size=4)))
def test_a_merge_is_the_outer_join_of_both(listed: set[str], known: set[str]) -> None:
    order = sorted(listed, key=str.encode)
    entries = [entry(key) for key in sorted(known, key=str.encode)]
    found = list(compare(map(info, order), entries))
    assert [one.key for one, _ in found if one] == order
    assert [one.key for _, one in found if one] == [one.key for one in entries]
    assert {a.key for a, b in found if a and b} == listed & known


def test_a_ledger_follows_another_in_the_order_of_listings(tmp_path: Path) -> None:
    first, second = tmp_path / "1.parquet", tmp_path / "2.parquet"
    words = ["b", "a", "Z", "é", "\U0001f600", "\uffff", "a/b", "a-b", ""]
    write_ledger(None, [entry(word) for word in words], (), first)
    assert [one.key for one in read_ledger(first)] == sorted(words, key=str.encode)
    write_ledger(first, [entry("a", "2", "bad"), Entry("n", "1", 1, 0, None, "p")], ["b"], second)
    found = {one.key: one for one in read_ledger(second)}
    assert found.keys() == {*words, "n"} - {"b"}
    assert found["a"] == entry("a", "2", "bad")
    assert list(read_ledger(second, "p")) == [Entry("n", "1", 1, 0, None, "p")]
    assert list(read_ledger(None)) == []


def test_a_ledger_of_many_objects_is_read_as_a_stream(tmp_path: Path) -> None:
    path = tmp_path / "ledger.parquet"
    write_ledger(None, [entry(f"{n:05}") for n in range(25_000)], (), path)
    stream = read_ledger(path)
    assert next(stream).key == "00000"
    assert sum(1 for _ in stream) == 24_999
    with pytest.raises(StopIteration):
        next(stream)
