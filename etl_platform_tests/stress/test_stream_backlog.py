"""A backlog is drained in bounded memory, into partitions that compaction bounds, and what is told
of its lag is what the broker itself says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from confluent_kafka import Consumer, TopicPartition

from etl_platform.components.stream_source.compacting import Compactor
from etl_platform.components.stream_source.options import Compaction
from etl_platform.core.duck import connect
from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse import Lake
from etl_platform.metastore import Metastore
from etl_platform.monitoring.streams import stream_statuses
from etl_platform_tests.servers.kafka import KafkaServer, Message
from etl_platform_tests.stress.stream_backlog import Loaded, Worker
from etl_platform_tests.stress.stream_defs import body, produce

TABLE = TableName("kills", "events")
PARTITIONS = 4


class Backlog:
    """A topic, its table, and what the broker and the lake say without the code under test."""

    def __init__(self, server: KafkaServer, topic: str, settings: Settings) -> None:
        self.server, self.topic, self.lake = server, topic, Lake(settings=settings)
        self.metastore = Metastore.open(settings.metastore_url)

    def waiting(self) -> int:
        """Messages at the broker that are not rows."""
        consumer = Consumer({"bootstrap.servers": self.server.address, "group.id": "test"})
        try:
            ends = [
                consumer.get_watermark_offsets(TopicPartition(self.topic, one), timeout=30)[1]
                for one in range(PARTITIONS)
            ]
        finally:
            consumer.close()
        return sum(ends) - (self.lake.snapshot(TABLE).rows if self.lake.exists(TABLE) else 0)

    def told(self) -> int | None:
        """The lag as ``etl status`` has it."""
        (status,) = stream_statuses(self.lake, self.metastore)
        return status.lag_rows

    def drain(self, step: Callable[[], Loaded | None], more: list[Message]) -> list[Loaded]:
        """Load until nothing is left; ``more`` arrives after the second batch."""
        found: list[Loaded] = []
        while (loaded := step()) is not None:
            found.append(loaded)
            assert loaded.lag_rows == self.told() == self.waiting()
            if len(found) == 2:
                self.server.produce(self.topic, more)
        assert self.told() == 0
        return found

    def digest(self) -> tuple[object, ...]:
        """Of all rows, wherever they lie."""
        with connect(self.lake.settings) as con:
            return con.execute(
                "SELECT count(*), count(DISTINCT id), sum(id), sum(hash(one)::HUGEINT) FROM "
                f"(SELECT * EXCLUDE (_partition) FROM {self.lake.relation_sql(TABLE)}) AS one"
            ).fetchall()[0]

    def compact(self) -> tuple[int, int]:
        """Partitions before and after all their times are over; the rows are the same."""
        with dg.DagsterInstance.get() as instance:
            before = instance.get_dynamic_partitions(TABLE.sql)
            rows = self.digest()
            partitions = dg.DynamicPartitionsDefinition(name=TABLE.sql)
            compactor = Compactor((TABLE,), partitions, (dg.AssetKey(TABLE.key),), Compaction())
            later = datetime.now(UTC) + timedelta(days=70)
            assert list(compactor.run(self.lake, self.metastore.streams, instance, later))
            assert self.digest() == rows
            return len(before), len(instance.get_dynamic_partitions(TABLE.sql))


def backlog(
    server: KafkaServer, settings: Settings, folder: Path, rows: int, patch: pytest.MonkeyPatch
) -> Backlog:
    home = folder / "dagster"
    home.mkdir()
    topic = server.create(PARTITIONS)
    for name, value in {
        "DAGSTER_HOME": str(home),
        "STREAM_SERVERS": server.address,
        "STREAM_TOPIC": topic,
        "STREAM_ROWS": str(rows),
    }.items():
        patch.setenv(name, value)
    return Backlog(server, topic, settings)


def later_messages(first: int, count: int) -> list[Message]:
    return [Message(body(n), None, n % PARTITIONS) for n in range(first, first + count)]


def test_the_lag_that_is_told_is_the_brokers_while_a_backlog_is_drained(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kafka_server: KafkaServer
) -> None:
    made = backlog(kafka_server, settings, tmp_path, 800, monkeypatch)
    produce(2_000, PARTITIONS, 0)
    loaded = made.drain(Worker(800).step, later_messages(2_000, 400))
    assert [one.messages for one in loaded] == [800, 800, 800]
    assert made.compact() == (3, 1)
    assert made.told() == made.waiting() == 0


@pytest.mark.stress
@pytest.mark.timeout(7200)
def test_a_backlog_of_ten_million_messages_takes_no_more_memory_than_its_first_batches(
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kafka_server: KafkaServer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    count = int(os.environ.get("STREAM_BACKLOG", "10000000"))
    rows, extra = max(1, count // 20), count // 100
    made = backlog(kafka_server, settings, tmp_path, rows, monkeypatch)
    package = "etl_platform_tests.stress"
    sizes = [str(count), str(PARTITIONS), "0"]
    subprocess.run([sys.executable, "-m", f"{package}.stream_defs", "produce", *sizes], check=True)
    command = [sys.executable, "-W", "ignore", "-m", f"{package}.stream_backlog"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        asks, answers = child.stdin, child.stdout

        def step() -> Loaded | None:
            asks.write(b"\n")
            asks.flush()
            line = answers.readline()
            assert line, "the worker has died"
            found = Loaded(**json.loads(line)) if line.strip() else None
            if found is not None:
                with capsys.disabled():
                    print(
                        f"{found.key}: {found.messages:,} messages in {found.seconds:.1f} s, "
                        f"peak {found.peak_mb} MB, lag {found.lag_rows:,}"
                    )
            return found

        loaded = made.drain(step, later_messages(count, extra))
        asks.close()
    peaks = [one.peak_mb for one in loaded if one.messages == rows]
    half = len(peaks) // 2
    before, after = made.compact()
    assert sum(one.messages for one in loaded) == count + extra
    assert made.lake.snapshot(TABLE).rows == count + extra
    assert after == 1
    with capsys.disabled():
        print(
            f"{count + extra:,} messages in {len(loaded)} batches by one worker: peaks "
            f"{min(peaks)} to {max(peaks)} MB; {before} partitions, {after} after compaction; lag "
            "as the broker's after every batch"
        )
    assert max(peaks[half:]) <= 1.15 * max(peaks[:half])
