"""kill -9 at random moments of a load from a bucket whose objects are written again meanwhile:
nothing lost, nothing doubled, and what is read of an object is one version of it."""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from etl_platform.components.file_source.known_files import KnownFiles
from etl_platform.core.names import TableName
from etl_platform.core.objects import S3Store
from etl_platform.core.settings import Settings
from etl_platform.lakehouse import Lake
from etl_platform.sources.files.ledger import read_ledger
from etl_platform_tests.servers.s3 import S3Server
from etl_platform_tests.stress.test_api_kills import Worker, committed_to

KILLS = int(os.environ.get("FILE_KILLS", "50"))
OBJECTS = int(os.environ.get("FILE_OBJECTS", "400"))
TABLE = TableName("shop", "readings")
_KILLS_OF_ONE = 4
"""After so many a load is left to end, so that commits are hit as well."""
_AT_COMMITS = 0.3
"""Of kills, those that come when a table's commit is seen; the others come at any time."""


@dataclass(frozen=True)
class Version:
    """What an object held once: rows that are good, rows that the contract rejects, or neither."""

    generation: int
    rows: int
    rejected: int
    bad: bool

    def text(self) -> str:
        lines = [f"{n},{self.generation}" for n in range(self.rows)]
        lines += [f"{-1 - n},{self.generation}" for n in range(self.rejected)]
        return "\n".join(["id,generation", *lines, *(["1"] if self.bad else []), ""])


@dataclass
class Bucket:
    """The objects, and every version that each ever had."""

    store: S3Store
    lake: Lake
    random: random.Random
    generation: int = 0
    now: dict[str, Version] = field(default_factory=dict[str, Version])
    ever: dict[tuple[str, int], Version] = field(default_factory=dict["tuple[str, int]", Version])
    rewritten_meanwhile: int = 0

    def write(self, key: str) -> None:
        self.generation += 1
        made = Version(
            self.generation,
            self.random.randrange(1, 30),
            self.random.randrange(3) if self.random.random() < 0.1 else 0,
            self.random.random() < 0.05,
        )
        # Before it is there, so that nobody finds a version that was never heard of.
        self.ever[key, made.generation] = made
        self.store.put(key, made.text().encode())
        self.now[key] = made

    def change(self, share: float) -> None:
        """Write some objects again, remove a few, add as many."""
        for key in list(self.now):
            if self.random.random() < share:
                self.write(key)
            elif self.random.random() < share / 10:
                self.store.delete([key])
                del self.now[key]
        for _ in range(OBJECTS - len(self.now)):
            number = self.random.randrange(10**6)
            self.write(f"readings/{number % 7}/{number:06}.csv")

    @contextmanager
    def being_written(self) -> Generator[None]:
        """Within the block some objects are written again all the time."""
        ended = threading.Event()

        def write() -> None:
            while not ended.wait(0.02):
                self.write(self.random.choice(list(self.now)))
                self.rewritten_meanwhile += 1

        writing = threading.Thread(target=write)
        writing.start()
        try:
            yield
        finally:
            ended.set()
            writing.join()

    def stored(self) -> dict[str, int]:
        """The generation of each object's rows, after looking that they are one whole version."""
        if not self.lake.exists(TABLE):
            return {}
        rows = self.lake.scan(TABLE).select("_file", "generation", "id").collect().rows()
        assert len(rows) == len(set(rows)), "a row is there twice"
        versions = Counter((key, generation) for key, generation, _ in rows)
        assert len(versions) == len({key for key, _ in versions}), "two versions of one object"
        for place, count in versions.items():
            assert self.ever[place].rows == count, f"{place} is not whole"
            assert not self.ever[place].bad
        return dict(versions.keys())

    def check_side_tables(self) -> None:
        """Every bad version and every rejected row is told once."""
        if self.lake.exists(TABLE.bad_files):
            bad = self.lake.scan(TABLE.bad_files).select("key", "etag").collect().rows()
            assert len(bad) == len(set(bad)), "a bad object is told twice"
        if self.lake.exists(TABLE.quarantine):
            columns = ("_file", "generation", "id")
            rejected = self.lake.scan(TABLE.quarantine).select(columns).collect().rows()
            assert len(rejected) == len(set(rejected)), "a rejected row is told twice"

    def check_everything(self) -> None:
        """After a load that nobody disturbed: every object as it is now."""
        stored = self.stored()
        for key, version in self.now.items():
            if version.bad:
                # Its last good version that was loaded, if there is one.
                assert stored.get(key, 0) < version.generation
            else:
                assert stored.get(key) == version.generation, f"{key} is lost"
        assert stored.keys() <= self.now.keys(), "rows of objects that are gone"
        with KnownFiles.open(self.lake, TABLE) as known:
            entries = {one.key: one for one in read_ledger(known.path)}
        assert entries.keys() == self.now.keys()
        assert {key for key, one in entries.items() if one.reason is not None} == {
            key for key, version in self.now.items() if version.bad
        }


@pytest.fixture
def bucket(settings: Settings, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    store, connection = s3_server.store("in"), s3_server.connection()
    monkeypatch.setenv("FILES_LOCATION", store.uri)
    monkeypatch.setenv("FILES_REGION", str(connection.region))
    monkeypatch.setenv("FILES_ENDPOINT", str(connection.endpoint_url))
    return Bucket(store, Lake(settings.lake_uri, settings), random.Random(5))


def kill_at_random(bucket: Bucket, kills: int) -> str:
    """Kill so many loads, each at a moment of its own; between them loads come to their end."""
    worker = Worker.start("file_worker")
    moments = random.Random(13)
    killed = loads = committed = 0
    bucket.change(0)
    begun = time.monotonic()
    assert worker.run() == "done"
    took_s = time.monotonic() - begun
    bucket.check_everything()
    while killed < kills:
        bucket.change(0.3)
        loads += 1
        left = _KILLS_OF_ONE
        with bucket.being_written():
            while left and killed < kills:
                version = bucket.lake.version(TABLE)
                if moments.random() < _AT_COMMITS:
                    tables = (TABLE, TABLE.bad_files, TABLE.quarantine)
                    at = committed_to(bucket.lake, moments.choice(tables))
                    how = worker.run(kill_at=at)
                else:
                    how = worker.run(moments.uniform(0, 1.1 * took_s))
                assert how != "failed"
                bucket.stored()
                bucket.check_side_tables()
                killed += how == "killed"
                committed += how == "killed" and bucket.lake.version(TABLE) > version
                left -= 1
        begun = time.monotonic()
        assert worker.run() == "done"
        took_s = time.monotonic() - begun
        bucket.check_everything()
        bucket.check_side_tables()
    worker.stop()
    rows = bucket.lake.snapshot(TABLE).rows
    return (
        f"{killed} kills in {loads} loads of {OBJECTS} objects, {committed} after the commit; "
        f"{bucket.rewritten_meanwhile} objects written again meanwhile, "
        f"{len(bucket.ever):,} versions in all; {rows:,} rows, none lost, none doubled"
    )


@pytest.mark.stress
def test_loads_from_a_bucket_survive_fifty_kills(bucket: Bucket) -> None:
    print(f"\n{kill_at_random(bucket, KILLS)}")


def test_loads_from_a_bucket_survive_two_kills(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.OBJECTS", 40)
    assert "none doubled" in kill_at_random(bucket, 2)
