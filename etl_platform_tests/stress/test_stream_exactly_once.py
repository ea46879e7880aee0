"""Each message once, whatever is killed: Dagster's daemon, its code server with the sensor, run
workers, and the connections to the broker."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from etl_platform.components.stream_source.looking import Watcher
from etl_platform.components.stream_source.options import Batching, Looking, StreamOptions
from etl_platform.core.duck import connect
from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse import Lake
from etl_platform.metastore import Metastore, StreamLog
from etl_platform.monitoring.streams import stream_status
from etl_platform.sources.stream.kafka import KafkaOptions, KafkaStream
from etl_platform_tests.servers.gateway import Gateway, gateway
from etl_platform_tests.servers.kafka import KafkaServer, Message, free_port, serving
from etl_platform_tests.stress import stream_defs
from etl_platform_tests.stress.stream_defs import body, load, load_results
from etl_platform_tests.stress.stream_windows import agreed, checksums, through

TABLE = TableName("kills", "events")
DEFS = "etl_platform_tests.stress.stream_defs"
VICTIMS = ("daemon", "code server", "run worker", "connections")
_INSTANCE = """
telemetry: {enabled: false}
run_coordinator:
  module: dagster.core.run_coordinator
  class: QueuedRunCoordinator
  config: {max_concurrent_runs: 2, dequeue_interval_seconds: 1}
run_retries: {enabled: true, max_retries: 100, retry_on_asset_or_op_failure: false}
run_monitoring: {enabled: true, start_timeout_seconds: 60, poll_interval_seconds: 2}
"""


@dataclass
class Dagster:
    """The daemon with everything that it starts, to be killed in parts."""

    log: Path
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0
    orphans: list[psutil.Process] = field(default_factory=list[psutil.Process])

    def ensure(self) -> None:
        """Start it as a supervisor would, when it is gone or has lost its code server."""
        if self.process is not None and self.process.poll() is None and self.find("code server"):
            return
        self.stop()
        self.starts += 1
        with self.log.open("a") as log:
            command = [str(Path(sys.executable).with_name("dagster-daemon")), "run", "-m", DEFS]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + 120
        while not self.find("code server") and time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            time.sleep(0.1)

    def find(self, role: str) -> list[psutil.Process]:
        """Its processes of one role."""
        if self.process is None or self.process.poll() is not None:
            return []
        found = [psutil.Process(self.process.pid)]
        if role == "daemon":
            return found
        server = [one for one in found[0].children(recursive=True) if _runs(one, "grpc")]
        if role == "code server":
            return server
        below = [child for one in server for child in one.children(recursive=True)]
        return [one for one in below if not _runs(one, "resource_tracker")]

    def kill(self, role: str, chosen: random.Random) -> bool:
        """kill -9 of one of these processes; whether there was one."""
        there = self.find(role)
        if not there:
            return False
        if role == "daemon":
            # What it started lives on, as it does after a real crash.
            self.orphans += there[0].children(recursive=True)
        victim = chosen.choice(there)
        victim.kill()
        if victim.pid == getattr(self.process, "pid", None) and self.process is not None:
            self.process.wait()
        return True

    def stop(self) -> None:
        """End everything that it ever started."""
        if self.process is not None and self.process.poll() is None:
            leader = psutil.Process(self.process.pid)
            self.orphans += leader.children(recursive=True)
            self.process.kill()
            self.process.wait()
        for one in self.orphans:
            if one.is_running():
                one.kill()
        self.orphans.clear()


def _runs(process: psutil.Process, word: str) -> bool:
    try:
        return any(word in part for part in process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return False


@dataclass
class Stage:
    """A broker behind a gateway, and Dagster on a home of its own."""

    server: KafkaServer
    direct: KafkaServer
    door: Gateway
    dagster: Dagster
    lake: Lake
    topic: str


@contextmanager
def staged(folder: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, rows: int,
           partitions: int) -> Generator[Stage]:  # fmt: skip
    home = folder / "dagster"
    home.mkdir()
    (home / "dagster.yaml").write_text(_INSTANCE)
    own, shown = free_port(), free_port()
    with (
        serving(folder, port=own, advertised=shown) as server,
        gateway(own, shown) as door,
    ):
        topic = server.create(partitions)
        for name, value in {
            "DAGSTER_HOME": str(home),
            "STREAM_SERVERS": server.address,
            "STREAM_TOPIC": topic,
            "STREAM_ROWS": str(rows),
        }.items():
            monkeypatch.setenv(name, value)
        dagster = Dagster(folder / "daemon.log")
        try:
            yield Stage(server, KafkaServer(f"127.0.0.1:{own}"), door, dagster,
                        Lake(settings=settings), topic)  # fmt: skip
        finally:
            dagster.stop()


def ids(lake: Lake) -> tuple[int, int, int]:
    """Rows, distinct messages, and the sum of their numbers."""
    if not lake.exists(TABLE):
        return 0, 0, 0
    with connect(lake.settings) as con:
        row = con.execute(
            f"SELECT count(*), count(DISTINCT id), coalesce(sum(id), 0) "
            f"FROM {lake.relation_sql(TABLE)}"
        ).fetchall()[0]
    return row[0], row[1], int(row[2])


def stream_through_kills(
    stage: Stage, count: int, partitions: int, kills: int, seconds: float, seed: str, limit_s: float
) -> Counter[str]:
    """Produce while things are killed, then wait until all is there; what was killed how often."""
    chosen = random.Random(seed)
    log = Metastore.open(stage.lake.settings.metastore_url).streams
    hit: Counter[str] = Counter()
    producer = subprocess.Popen(
        [sys.executable, "-m", DEFS, "produce", str(count), str(partitions), str(seconds)],
        env=os.environ,
    )
    deadline = time.monotonic() + limit_s
    try:
        while time.monotonic() < deadline:
            stage.dagster.ensure()
            if sum(hit.values()) < kills:
                time.sleep(chosen.uniform(0, 2 * seconds / kills))
                victim = chosen.choice(VICTIMS)
                if victim == "connections":
                    stage.door.shut()
                    time.sleep(chosen.uniform(0, 0.5))
                    stage.door.open()
                    hit[victim] += 1
                elif stage.dagster.kill(victim, chosen):
                    hit[victim] += 1
                rows, distinct, _ = ids(stage.lake)
                assert rows == distinct, "a reader saw a message twice"
                continue
            status = stream_status(log, TABLE.sql)
            ended = producer.poll() is not None
            if (
                ended
                and status is not None
                and status.lag_rows == 0
                and ids(stage.lake)[0] >= count
                and through(stage.lake) >= log.batches(TABLE.sql)[-1].number
            ):
                break
            time.sleep(0.5)
        assert producer.wait() == 0
    finally:
        producer.kill()
        producer.wait()
    return hit


def run(
    folder: Path,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    *,
    count: int,
    kills: int,
    seconds: float,
    rows: int,
    limit_s: float,
) -> str:
    partitions = 4
    with staged(folder, settings, monkeypatch, rows, partitions) as stage:
        started = time.monotonic()
        hit = stream_through_kills(
            stage, count, partitions, kills, seconds, f"{count} {kills}", limit_s
        )
        took = time.monotonic() - started
        log = Metastore.open(settings.metastore_url).streams
        batches = log.batches(TABLE.sql)
        assert ids(stage.lake) == (count, count, count * (count - 1) // 2), (
            stage.dagster.log.read_text()[-5000:]
        )
        assert not stage.lake.exists(TABLE.dead_letter)
        windows = agreed(stage.lake, count, partitions)
        told = ", ".join(f"{number:,} of {name}" for name, number in windows.items())
        shown = ", ".join(f"{name} {number}" for name, number in sorted(hit.items()))
        return (
            f"{count:,} messages in {len(batches)} batches, {sum(hit.values())} kills ({shown}), "
            f"{stage.dagster.starts} starts of the daemon, {took:.0f} s: each message once, "
            f"windows ({told}) as of one batch"
        )


@dataclass(frozen=True)
class Bench:
    """A stream whose batches are cut and loaded by hand."""

    server: KafkaServer
    topic: str
    lake: Lake
    log: StreamLog

    def cut(self, rows: int) -> list[str]:
        """Cut everything into batches; their keys."""
        options = StreamOptions(
            batch=Batching(max_rows=rows), sensor=Looking(max_unfinished=1_000, budget_s=60)
        )
        stream = KafkaStream(KafkaOptions(bootstrap_servers=self.server.address, topic=self.topic))
        look = Watcher(TABLE.sql, stream, self.log, options).look(-1, 0)
        stream.close()
        return [one.key for one in look.requests]

    def dead_letters(self) -> int:
        target = TABLE.dead_letter
        return self.lake.snapshot(target).rows if self.lake.exists(target) else 0


@pytest.fixture
def bench(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kafka_server: KafkaServer
) -> Bench:
    home = tmp_path / "dagster"
    home.mkdir()
    topic = kafka_server.create(4)
    for name, value in {
        "DAGSTER_HOME": str(home),
        "STREAM_SERVERS": kafka_server.address,
        "STREAM_TOPIC": topic,
        "STREAM_ROWS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    log = Metastore.open(settings.metastore_url).streams
    return Bench(kafka_server, topic, Lake(settings=settings), log)


def numbered(numbers: Iterable[int]) -> list[Message]:
    return [Message(body(one), None, one % 4) for one in numbers]


def test_a_worker_killed_between_its_two_commits_has_hidden_and_doubled_nothing(
    bench: Bench,
) -> None:
    poison = [Message(b"poison %d" % one, None, one % 4) for one in range(40)]
    bench.server.produce(bench.topic, [*poison, *numbered(range(20_000))])
    (key,) = bench.cut(1_000_000)
    command = [sys.executable, "-W", "ignore", "-m", DEFS, "load", key]
    worker = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    first = Path(bench.lake.uri) / TABLE.dead_letter.path / "_delta_log" / f"{0:020}.json"
    while not first.exists() and worker.poll() is None:
        time.sleep(0.001)
    worker.kill()
    worker.wait()
    assert bench.dead_letters() == 40
    assert ids(bench.lake)[0] in (0, 20_000)
    assert load(key).success
    assert ids(bench.lake) == (20_000, 20_000, sum(range(20_000)))
    assert bench.dead_letters() == 40
    assert bench.log.unfinished(TABLE.sql) == []


@pytest.mark.stress
@pytest.mark.timeout(3600)
def test_twenty_batches_replayed_in_random_order_twice_change_nothing(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    count, chosen = 200_000, random.Random("replays")
    bench.server.produce(bench.topic, numbered(range(count)))
    keys = bench.cut(count // 20)
    assert len(keys) == 20
    for key in keys:
        assert load(key, windows=True).success
    assert load_results().success
    before, results = bench.lake.checksum(TABLE), checksums(bench.lake)
    agreed(bench.lake, count, 4)
    for _ in range(2):
        chosen.shuffle(keys)
        for key in keys:
            assert load(key, windows=True).success
        assert load_results().success
        assert bench.lake.checksum(TABLE) == before
        assert checksums(bench.lake) == results
    assert ids(bench.lake) == (count, count, sum(range(count)))
    with capsys.disabled():
        print(
            f"\n{len(keys)} batches of {count:,} rows replayed twice: checksums of the table and "
            f"its windows are still {before}, {results}"
        )


@pytest.mark.stress
@pytest.mark.timeout(3600)
def test_ten_thousand_poison_messages_are_dead_letters_and_rows_after_the_fix(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    good, each = 200_000, 500
    kinds = poison_kinds()
    assert len(kinds) == 20
    bad = [Message(kinds[n % 20] % n, None, n % 4) for n in range(20 * each)]
    sent = [*numbered(range(good)), *bad]
    random.Random("poison").shuffle(sent)
    bench.server.produce(bench.topic, sent)
    (key,) = bench.cut(1_000_000)
    assert load(key).success
    assert ids(bench.lake) == (good, good, sum(range(good)))
    with connect(bench.lake.settings) as con:
        letters = bench.lake.relation_sql(TABLE.dead_letter)
        raw = con.execute(f"SELECT _value FROM {letters} WHERE len(_reason) > 0").fetchall()
        reasons = con.execute(
            f"SELECT count(DISTINCT regexp_replace(_reason, '[0-9]+', 'n', 'g')) FROM {letters}"
        ).fetchall()[0][0]
    assert sorted(one[0] for one in raw) == sorted(one.value or b"" for one in bad)
    # The fix: what is not JSON of this form is kept as it is.
    monkeypatch.setattr(stream_defs, "DECODE", {"format": "raw"})
    assert load(key).success
    assert bench.dead_letters() == 0
    assert bench.lake.snapshot(TABLE).rows == good + len(bad)
    with capsys.disabled():
        print(
            f"\n{len(bad):,} poison messages of {len(kinds)} kinds among {good:,}: all are dead "
            f"letters with {reasons} forms of reasons; after the fix none is left, "
            f"{good + len(bad):,} rows"
        )


def poison_kinds() -> list[bytes]:
    """Messages that are not objects with a whole number as id, each with a place for a number."""
    return [
        b"%d{", b'{"id": %d', b'{"id": "x%d"}', b'{"id": %d.5}', b'{"text": "%d"}', b"[%d]",
        b'"%d"', b"%d", b'{"id": null, "text": "%d"}', b'{"id": {"a": %d}}', b'{"id": [%d]}',
        b'{"id": %d0000000000000000000000}', b"\xff\xfe%d", b'{"id": %d,}', b"{'id': %d}",
        b'{"id": %d} trailing', b'{"id": true, "text": "%d"}', b"<id>%d</id>",
        b'{"id": %d, "text": "\xff"}', b"id=%d",
    ]  # fmt: skip


@pytest.mark.stress
@pytest.mark.timeout(7200)
def test_two_million_messages_through_fifty_kills(
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    count = int(os.environ.get("STREAM_MESSAGES", "2000000"))
    kills = int(os.environ.get("STREAM_KILLS", "50"))
    told = run(
        tmp_path,
        settings,
        monkeypatch,
        count=count,
        kills=kills,
        seconds=6.0 * kills,
        rows=max(1, count // 20),
        limit_s=3600,
    )
    with capsys.disabled():
        print(f"\n{told}")
