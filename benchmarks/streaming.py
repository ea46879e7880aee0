"""A topic into a queryable table, beside a consumer that throws the messages away.

One Tansu broker of its own, 4 partitions, 1,000,000 JSON messages of 120 bytes with keys.
"""

from __future__ import annotations

import sys
from functools import partial
from importlib import import_module

from benchmarks.measure import Operation, child, compare, report
from benchmarks.stream_batches import fixed, ticks
from benchmarks.stream_broker import ADDRESS, MESSAGES, PARTITIONS, TOPIC, broker
from benchmarks.stream_loading import load

TUNED = {
    "queued.min.messages": 1_000_000,
    "queued.max.messages.kbytes": 1_048_576,
    "fetch.queue.backoff.ms": 5,
    "fetch.message.max.bytes": 8 << 20,
    "fetch.wait.max.ms": 20,
}
"""What makes a plain consumer fast; without it, it takes 2.4 times as long."""


def bare() -> Operation:
    """A loop over a well-tuned consumer: the value of every message, thrown away."""
    from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

    settings = {"bootstrap.servers": ADDRESS.read_text(), "group.id": "bare", **TUNED}

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
    import_module("pyarrow")  # before the clock starts
    from etl_platform.sources.stream import Range
    from etl_platform.sources.stream.kafka import KafkaOptions, KafkaStream

    stream = KafkaStream(KafkaOptions(bootstrap_servers=ADDRESS.read_text(), topic=TOPIC))

    def run() -> dict[str, float]:
        ends = stream.ends(5).partitions
        ranges = tuple(Range(name, None, end.latest or 0) for name, end in ends.items())
        count = sum(batch.num_rows for batch in stream.read(ranges))
        assert count == MESSAGES, count
        return {"messages": count}

    return run


VARIANTS = {
    "bare": bare,
    "read": read,
    "load": load,
    "windowed": partial(load, windowed=True),
    "ticks": ticks,
    "fixed": fixed,
}


def main(runs: int) -> None:
    with broker():
        figures = compare("streaming", ["bare", "read", "load", "windowed"], runs)
        report(
            f"{MESSAGES:,} messages of 120 bytes from {PARTITIONS} partitions",
            figures,
            "bare",
            {"load": "at most 2.22"},
        )
        for name, figure in figures.items():
            told = " ".join(f"{k}={v:.2f}" for k, v in figure.extra.items() if k.endswith("_s"))
            print(f"{name}: {figure.extra['messages'] / figure.seconds:,.0f} messages/s {told}")
        bare_s, load_s = figures["bare"].seconds, figures["load"].seconds
        print(f"read at {bare_s / figures['read'].seconds:.2f} of bare")
        print(f"into a table at {bare_s / load_s:.2f} of bare (bar: at least 0.45)")
        print(f"a window on top: {figures['windowed'].seconds / load_s - 1:+.0%} (bar: +40%)")
        alone = compare("streaming", ["ticks", "fixed"], 1, warm_up=False)
    tick, batch = alone["ticks"].extra, alone["fixed"].extra
    print(
        f"sensor tick with 64 partitions: p50 {tick['p50_ms']:.0f} ms, "
        f"p95 {tick['p95_ms']:.0f} ms (bar: 500)"
    )
    print(
        f"Dagster run of a batch of 4 messages: {batch['median_s']:.2f} s, "
        f"the first in a process {batch['first_s']:.2f} s"
    )


if __name__ == "__main__":
    child(VARIANTS[sys.argv[1]])
