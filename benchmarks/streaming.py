"""A topic into a queryable table, beside a consumer that throws the messages away.

One Tansu broker of its own, 4 partitions, 1,000,000 JSON messages of 120 bytes with keys.
"""

from __future__ import annotations

import sys
from functools import partial
from importlib import import_module

from benchmarks import stream_peers
from benchmarks.measure import Figure, Operation, child, compare, report
from benchmarks.peers import peers_python
from benchmarks.stream_broker import ADDRESS, MESSAGES, PARTITIONS, TOPIC, broker
from benchmarks.stream_loading import load

_PEERS = tuple(stream_peers.BARS)


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


def ticks() -> Operation:
    """Ticks of the sensor over 64 partitions."""
    # Not imported with this module: peers' environments have no Dagster.
    from benchmarks.stream_batches import ticks

    return ticks()


def fixed() -> Operation:
    """Runs of batches of a few messages."""
    from benchmarks.stream_batches import fixed

    return fixed()


VARIANTS = {
    "bare": stream_peers.bare,
    "read": read,
    "load": load,
    "windowed": partial(load, windowed=True),
    "bytewax": stream_peers.bytewax,
    "quix": stream_peers.quix,
    "dlt": stream_peers.dlt,
    "ticks": ticks,
    "fixed": fixed,
}


def main(runs: int) -> None:
    python = peers_python(*stream_peers.REQUIREMENTS, name="peers-stream")
    with broker():
        figures = compare(
            "streaming",
            ["bare", "read", "load", "windowed", *_PEERS],
            runs,
            elsewhere=dict.fromkeys(_PEERS, python),
        )
        alone = compare("streaming", ["ticks", "fixed"], 1, warm_up=False)
    title = f"{MESSAGES:,} messages of 120 bytes from {PARTITIONS} partitions"
    report(title, figures, "bare", {"load": "at most 2.22"})
    for name, figure in figures.items():
        told = " ".join(f"{k}={v:.2f}" for k, v in figure.extra.items() if k.endswith("_s"))
        print(f"{name}: {_rate(figure):,.0f} messages/s {told}")
    ours = _rate(figures["load"])
    print(f"read at {_rate(figures['read']) / _rate(figures['bare']):.2f} of bare")
    print(f"into a table at {ours / _rate(figures['bare']):.2f} of bare (bar: at least 0.45)")
    for name, bar in stream_peers.BARS.items():
        print(f"into a table at {ours / _rate(figures[name]):.2f} of {name} (bar: at least {bar})")
    more = figures["windowed"].seconds / figures["load"].seconds - 1
    print(f"a window on top: {more:+.0%} (bar: at most +40%)")
    tick, batch = alone["ticks"].extra, alone["fixed"].extra
    print(
        f"sensor tick with 64 partitions: p50 {tick['p50_ms']:.0f} ms, "
        f"p95 {tick['p95_ms']:.0f} ms (bar: at most 500)"
    )
    print(
        f"Dagster run of a batch of 4 messages: {batch['median_s']:.2f} s, "
        f"the first in a process {batch['first_s']:.2f} s"
    )


def _rate(figure: Figure) -> float:
    """Messages per second, by a peer's own clock where it has one."""
    return figure.extra["messages"] / figure.extra.get("taken_s", figure.seconds)


if __name__ == "__main__":
    child(VARIANTS[sys.argv[1]])
