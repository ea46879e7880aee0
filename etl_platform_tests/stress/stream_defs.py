"""What Dagster's daemon loads in tests that kill it: one stream, told by the environment.

``STREAM_SERVERS`` and ``STREAM_TOPIC`` say where messages are, ``STREAM_ROWS`` how many make a
batch. As a program it produces numbered messages at a steady pace (``produce COUNT PARTITIONS
SECONDS``), or loads one partition (``load KEY``).
"""

from __future__ import annotations

import os
import sys
import time

import dagster as dg

from etl_platform.components.options import Retrying
from etl_platform.components.stream_source.component import StreamSourceComponent
from etl_platform.components.stream_source.options import (
    Batching,
    Compaction,
    Looking,
    StreamOptions,
)
from etl_platform.resources import LakeResource

DECODE: dict[str, object] = {
    "format": "json",
    "columns": {"id": {"type": "int64", "required": True}, "text": "string"},
}


def made() -> dg.Definitions:
    """The stream, as a component declares it."""
    options = StreamOptions(
        topic=os.environ["STREAM_TOPIC"],
        decode=DECODE,
        batch=Batching(max_rows=int(os.environ["STREAM_ROWS"])),
        sensor=Looking(every_s=1, budget_s=5, max_unfinished=3, give_up_after="20s"),
    )
    component = StreamSourceComponent(
        target_schema="kills",
        kafka={"bootstrap_servers": os.environ["STREAM_SERVERS"]},
        streams={"events": options},
        compaction=Compaction(enabled=False),
        retry=Retrying(attempts=5, delay_s=0.5),
    )
    resources = dg.Definitions(resources={"lake": LakeResource()})
    return dg.Definitions.merge(
        component.build_defs(dg.ComponentTree.for_test().load_context), resources
    )


if "STREAM_TOPIC" in os.environ and __name__ != "__main__":
    defs = made()


def produce(count: int, partitions: int, seconds: float) -> None:
    """Messages with the numbers up to ``count``, of 120 bytes, spread over some seconds; each
    partition ends with a batch of one message."""
    from confluent_kafka import Producer

    settings = {
        "bootstrap.servers": os.environ["STREAM_SERVERS"],
        "linger.ms": 20,
        "enable.idempotence": True,
        "message.send.max.retries": 1_000_000,
        "delivery.timeout.ms": 600_000,
        "queue.buffering.max.messages": 2_000_000,
    }
    producer = Producer(settings)
    topic, started = os.environ["STREAM_TOPIC"], time.monotonic()
    for number in range(count):
        if number == count - partitions:
            producer.flush()
        body = b'{"id": %d, "text": "%s"}' % (number, b"x" * (95 - len(str(number))))
        while True:
            try:
                producer.produce(topic, body, partition=number % partitions)
                break
            except BufferError:
                producer.poll(0.1)
        if number % 1_000 == 0:
            producer.poll(0)
            ahead = started + seconds * number / count - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)
    assert producer.flush() == 0


def load(key: str, *, from_bytes: bool = False) -> dg.ExecuteInProcessResult:
    """Materialise a partition in this process."""
    config = {"ops": {"kills__events": {"config": {"from_dead_letters": from_bytes}}}}
    with (
        dg.DagsterInstance.get() as instance,
        dg.partition_loading_context(dynamic_partitions_store=instance),
    ):
        instance.add_dynamic_partitions("kills.events", [key])
        job = made().resolve_implicit_global_asset_job_def()
        return job.execute_in_process(
            instance=instance, partition_key=key, run_config=config, raise_on_error=False
        )


if __name__ == "__main__":
    if sys.argv[1] == "load":
        assert load(sys.argv[2]).success
    else:
        produce(int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
