"""One suite for a folder and a bucket: whoever uses a store cannot tell which it is."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import ValidationError

from etl_platform.core.errors import ConfigError, PermanentError, SecretError
from etl_platform.core.objects import (
    LocalStore,
    ObjectChanged,
    ObjectMissing,
    ObjectStore,
    S3Connection,
    S3Store,
    StoreUnavailable,
    open_store,
)
from etl_platform.core.objects.transfer import PART_BYTES
from etl_platform_tests.servers.s3 import S3Server

KEYS = ["a", "a-b", "a.txt", "a/1", "a/2/deep", "a0", "b c/ü+%.csv", "b c=1/&?#", "z/é"]


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path, s3_server: S3Server) -> ObjectStore:
    if request.param == "folder":
        return LocalStore(tmp_path / "store")
    return s3_server.store("some/prefix")


def test_keys_are_listed_in_the_order_of_their_bytes(store: ObjectStore) -> None:
    keys = [key for key in KEYS if key != "a"]  # a folder has no file beside its own name
    for key in random.Random(1).sample(keys, len(keys)):
        store.put(key, key.encode())
    listed = list(store.list())
    assert [one.key for one in listed] == sorted(keys, key=str.encode)
    assert [one.size_bytes for one in listed] == [len(one.key.encode()) for one in listed]
    assert [one.key for one in store.list("a/")] == ["a/1", "a/2/deep"]
    assert [one.key for one in store.list("b c")] == ["b c/ü+%.csv", "b c=1/&?#"]
    for start in keys:
        rest = [key for key in sorted(keys, key=str.encode) if key.encode() > start.encode()]
        assert [one.key for one in store.list(start_after=start)] == rest
    assert [one.key for one in store.list("a/", "a/1")] == ["a/2/deep"]
    assert store.folders() == ["a", "b c", "b c=1", "z"]
    assert store.folders("a/") == ["a/2"]
    assert store.folders("nothing/") == []
    assert list(store.list("nothing")) == []


def test_what_was_written_is_read_whole_and_in_ranges(store: ObjectStore, tmp_path: Path) -> None:
    etag = store.put("x/data", b"0123456789")
    info = store.head("x/data")
    assert info is not None
    assert (info.size_bytes, info.etag) == (10, etag)
    assert store.read("x/data") == b"0123456789"
    assert store.read("x/data", 3) == b"3456789"
    assert store.read("x/data", 3, 4) == b"3456"
    assert store.read("x/data", 8, 100) == b"89"
    assert store.read("x/data", 50, 5) == b""
    assert store.read("x/data", 2, 0) == b""
    store.copy("x/data", "y")
    store.download("y", tmp_path / "there" / "file", if_match=store.list("y").__next__().etag)
    assert (tmp_path / "there" / "file").read_bytes() == b"0123456789"
    store.delete(["x/data", "never"])
    assert store.head("x/data") is None
    store.put("empty", b"")
    store.download("empty", tmp_path / "empty")
    assert store.read("empty") == (tmp_path / "empty").read_bytes() == b""


def test_large_objects_go_in_parts(store: ObjectStore, tmp_path: Path) -> None:
    data = random.Random(2).randbytes(PART_BYTES + 12_345)
    (tmp_path / "large").write_bytes(data)
    etag = store.upload("large", tmp_path / "large", if_none_match=True)
    with pytest.raises(ObjectChanged):
        store.upload("large", tmp_path / "large", if_none_match=True)
    info = store.download("large", tmp_path / "again")
    assert info.etag == etag
    assert (tmp_path / "again").read_bytes() == data
    assert [one.key for one in store.list()] == ["large"]


def test_conditions_hold(store: ObjectStore, tmp_path: Path) -> None:
    first = store.put("k", b"1", if_none_match=True)
    with pytest.raises(ObjectChanged):
        store.put("k", b"2", if_none_match=True)
    second = store.put("k", b"two", if_match=first)
    assert second != first
    for refused in (
        lambda: store.put("k", b"3", if_match=first),
        lambda: store.read("k", if_match=first),
        lambda: store.download("k", tmp_path / "k", if_match=first),
    ):
        with pytest.raises(ObjectChanged):
            refused()
    assert store.read("k", if_match=second) == b"two"
    assert not (tmp_path / "k").exists()
    assert [one.key for one in store.list()] == ["k"]


@pytest.mark.parametrize("condition", ["new", "unchanged"])
def test_of_many_writers_at_once_one_wins(store: ObjectStore, condition: str) -> None:
    rounds, writers = 10, 8

    def write(key: str, turn: int, etag: str | None) -> int | None:
        try:
            if etag is None:
                store.put(key, str(turn).encode(), if_none_match=True)
            else:
                store.put(key, str(turn).encode(), if_match=etag)
        except ObjectChanged:
            return None
        return turn

    with ThreadPoolExecutor(writers) as pool:
        for i in range(rounds):
            key = f"round-{i}"
            etag = store.put(key, b"before") if condition == "unchanged" else None
            tried = [pool.submit(write, key, turn, etag) for turn in range(writers)]
            won = [one.result() for one in tried if one.result() is not None]
            assert len(won) == 1
            assert store.read(key) == str(won[0]).encode()


@pytest.mark.parametrize(
    "use",
    [
        lambda store, path: store.read("absent"),
        lambda store, path: store.download("absent", path / "x"),
        lambda store, path: store.copy("absent", "y"),
    ],
)
def test_what_is_missing_is_said(
    store: ObjectStore, tmp_path: Path, use: Callable[[ObjectStore, Path], object]
) -> None:
    with pytest.raises(ObjectMissing, match="absent"):
        use(store, tmp_path)
    assert store.head("absent") is None


def test_listing_goes_on_behind_the_first_page(s3_server: S3Server) -> None:
    store = s3_server.store()
    keys = [f"k/{i:05}" for i in range(2_500)]
    s3_server.fill(store.bucket, keys)
    assert [one.key for one in store.list("k/")] == keys
    assert [one.key for one in store.list("k/", keys[1_234])] == keys[1_235:]
    store.delete(keys)
    assert list(store.list()) == []


def test_a_key_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    for key in ("../x", "/etc/passwd", "a//b", ""):
        with pytest.raises(ConfigError):
            LocalStore(tmp_path).read(key)


def test_addresses_say_which_store_it_is(tmp_path: Path) -> None:
    assert open_store("s3://bucket/a/b/").uri == "s3://bucket/a/b"
    assert open_store("s3://bucket").uri == "s3://bucket"
    assert open_store(tmp_path).uri == open_store(f"file://{tmp_path}").uri == str(tmp_path)
    for wrong in ("s3://", "gs://bucket/x", "ftp://host/x"):
        with pytest.raises(ConfigError, match="s3://bucket/prefix"):
            open_store(wrong)


def test_refusals_of_a_bucket_say_why(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = s3_server.connection()
    with pytest.raises(PermanentError, match="no such bucket"):
        S3Store("b-is-not-there", "", connection).put("k", b"")
    nowhere = connection.model_copy(update={"endpoint_url": "http://127.0.0.1:9"})
    with pytest.raises(StoreUnavailable, match="no answer"):
        S3Store("bucket", "", nowhere).read("k")
    missing = connection.model_copy(update={"access_key_id": "env://IS_NOT_SET"})
    with pytest.raises(SecretError, match="IS_NOT_SET"):
        S3Store("bucket", "", missing).read("k")


def test_connections_take_references_and_whole_pairs_only() -> None:
    with pytest.raises(ValidationError):
        S3Connection(access_key_id="env://ID")
    with pytest.raises(SecretError, match="env://"):
        S3Connection(access_key_id="AKIA", secret_access_key="literal")
