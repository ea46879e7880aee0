"""What other tools take for the same topic: Bytewax, Quix Streams and dlt, in their environment.

Bytewax and Quix only parse the JSON and throw it away. Their clock (``taken_s``) runs from the
first messages to the last: joining a group and building a dataflow are not held against them.
"""

from __future__ import annotations

import importlib
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

from benchmarks.measure import DATA, Operation
from benchmarks.stream_broker import ADDRESS, MESSAGES, PARTITIONS, TOPIC

REQUIREMENTS = ("bytewax", "quixstreams", "dlt[parquet]", "confluent-kafka", "orjson")
BARS = {"bytewax": 1.6, "quix": 2.5, "dlt": 1.6}
"""How many times as many messages per second as the peer come into a table."""
TUNED: dict[str, Any] = {
    "queued.min.messages": 1_000_000,
    "queued.max.messages.kbytes": 1_048_576,
    "fetch.queue.backoff.ms": 5,
    "fetch.message.max.bytes": 8 << 20,
    "fetch.wait.max.ms": 20,
}
"""What makes a plain consumer fast; without it, it takes 2.4 times as long."""


def bare() -> Operation:
    """A loop over a well-tuned consumer: the value of every message, thrown away."""

    def run() -> dict[str, float]:
        count = 0
        for messages in _consumed():
            for message in messages:
                message.value()
            count += len(messages)
        return {"messages": count}

    return run


def bytewax() -> Operation:
    """A dataflow that parses the JSON of every message."""
    operators, kafka = _any("bytewax.operators"), _any("bytewax.connectors.kafka")
    dataflow, testing = _any("bytewax.dataflow"), _any("bytewax.testing")
    outputs = _any("bytewax.outputs")
    at: list[float] = []
    counts: list[int] = []

    class Drop(outputs.StatelessSinkPartition):
        def write_batch(self, items: list[object]) -> None:
            at.append(time.perf_counter())
            counts.append(len(items))

    class Sink(outputs.DynamicSink):
        def build(self, *_: object) -> Drop:
            return Drop()

    settings = {name: str(value) for name, value in TUNED.items()}
    source = kafka.KafkaSource(
        [ADDRESS.read_text()], [TOPIC], tail=False, batch_size=10_000, add_config=settings
    )
    flow = dataflow.Dataflow("peer")
    messages = operators.input("in", flow, source)
    parsed = operators.map("parse", messages, lambda one: json.loads(one.value)["amount"])
    operators.output("out", parsed, Sink())

    def run() -> dict[str, float]:
        testing.run_main(flow)
        return {"messages": sum(counts), "taken_s": at[-1] - at[0]}

    return run


def quix() -> Operation:
    """An application that parses the JSON of every message."""
    folder = (DATA / "streams" / "quix").absolute()
    shutil.rmtree(folder, ignore_errors=True)
    app = _any("quixstreams").Application(
        broker_address=ADDRESS.read_text(),
        consumer_group=uuid4().hex,
        auto_offset_reset="earliest",
        state_dir=str(folder),
        consumer_extra_config=TUNED,
        loglevel="WARNING",
        auto_create_topics=False,
    )
    frame = app.dataframe(app.topic(TOPIC, value_deserializer="json"))
    count, first, last = 0, 0.0, 0.0

    def note(_: object) -> None:
        nonlocal count, first, last
        if count == 0:
            first = time.perf_counter()
        count += 1
        if count == MESSAGES:
            last = time.perf_counter()
            app.stop()

    frame.update(note)

    def run() -> dict[str, float]:
        app.run()
        return {"messages": count, "taken_s": last - first}

    return run


def dlt() -> Operation:
    """Arrow tables of parsed messages through a pipeline into Parquet files in a folder."""
    tool, arrow, orjson = _any("dlt"), _any("pyarrow"), _any("orjson")
    folder = (DATA / "streams" / "dlt").absolute()
    shutil.rmtree(folder, ignore_errors=True)
    count = 0

    def tables() -> Iterator[Any]:
        nonlocal count
        for messages in _consumed():
            count += len(messages)
            yield arrow.Table.from_pylist([orjson.loads(one.value()) for one in messages])

    pipeline = tool.pipeline(
        "peer",
        destination=tool.destinations.filesystem(bucket_url=f"file://{folder / 'out'}"),
        dataset_name="bench",
        pipelines_dir=str(folder / "work"),
    )

    def run() -> dict[str, float]:
        found = tool.resource(tables, name="events", write_disposition="append")
        pipeline.run(found, loader_file_format="parquet")
        written = sum(
            _any("pyarrow.parquet").read_metadata(path).num_rows
            for path in Path(folder / "out").rglob("events/*.parquet")
        )
        assert written == MESSAGES, written
        return {"messages": count}

    return run


def _consumed() -> Iterator[list[Any]]:
    from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

    settings: dict[str, Any] = {"bootstrap.servers": ADDRESS.read_text(), "group.id": "bare"}
    consumer = Consumer(settings | TUNED)
    consumer.assign([TopicPartition(TOPIC, n, OFFSET_BEGINNING) for n in range(PARTITIONS)])
    count = 0
    while count < MESSAGES:
        messages = consumer.consume(10_000, timeout=5)
        count += len(messages)
        yield messages
    consumer.close()


def _any(module: str) -> Any:
    # Peers are in an environment of their own: nothing here knows their types.
    return cast("Any", importlib.import_module(module))
