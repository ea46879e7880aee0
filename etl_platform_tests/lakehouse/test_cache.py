"""Files of a bucket on this machine: what comes, what goes, what stays. The store is a folder."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from etl_platform.core.errors import PermanentError
from etl_platform.core.objects import LocalStore, ObjectMissing
from etl_platform.lakehouse.cache import STAGED, FileCache

DAY_S = 24 * 3600


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    store = LocalStore(tmp_path / "store")
    for name in "abcde":
        store.put(f"t/{name}", name.encode() * 10)
    return store


def kept(cache: FileCache) -> set[str]:
    return {path.name for path in cache.folder.rglob("*") if path.is_file()} - {".tidying"}


def test_the_least_recently_used_files_go_first(store: LocalStore, tmp_path: Path) -> None:
    cache = FileCache(store, tmp_path / "cache", limit_bytes=30, in_use_s=0)
    cache.fetch({f"t/{name}": 10 for name in "abc"})
    for age_s, name in enumerate("cba", 1):
        moment = time.time() - age_s
        os.utime(cache.folder / "t" / name, (moment, moment))
    cache.fetch({"t/a": 10})
    cache.fetch({"t/d": 10, "t/e": 10})
    assert kept(cache) == {"a", "d", "e"}


def test_what_was_used_lately_stays_beyond_the_limit(store: LocalStore, tmp_path: Path) -> None:
    cache = FileCache(store, tmp_path / "cache", limit_bytes=10)
    cache.fetch({f"t/{name}": 10 for name in "abcde"})
    assert kept(cache) == set("abcde")
    long_ago = time.time() - DAY_S
    for name in "bd":
        os.utime(cache.folder / "t" / name, (long_ago, long_ago))
    cache.tidy()
    assert kept(cache) == set("ace")


def test_a_damaged_copy_is_fetched_again(store: LocalStore, tmp_path: Path) -> None:
    cache = FileCache(store, tmp_path / "cache", limit_bytes=1000)
    cache.fetch({"t/a": 10})
    (cache.folder / "t" / "a").write_bytes(b"cut")
    cache.fetch({"t/a": 10})
    assert (cache.folder / "t" / "a").read_bytes() == b"a" * 10


def test_an_object_of_another_size_or_none_is_refused(store: LocalStore, tmp_path: Path) -> None:
    cache = FileCache(store, tmp_path / "cache", limit_bytes=1000)
    with pytest.raises(PermanentError, match="has not the 11 bytes"):
        cache.fetch({"t/a": 11})
    with pytest.raises(ObjectMissing):
        cache.fetch({"t/z": 10})
    assert kept(cache) == set()


def test_stages_stay_until_they_are_a_day_old(store: LocalStore, tmp_path: Path) -> None:
    cache = FileCache(store, tmp_path / "cache", limit_bytes=0, in_use_s=0)
    for name in ("young", "old"):
        stage = cache.folder / "t" / name
        stage.mkdir(parents=True)
        (stage / f"{name}.parquet").touch()
        stage.with_suffix(STAGED).touch()
    long_ago = time.time() - 2 * DAY_S
    os.utime(cache.folder / "t" / f"old{STAGED}", (long_ago, long_ago))
    cache.tidy()
    assert kept(cache) == {"young.parquet", f"young{STAGED}"}
