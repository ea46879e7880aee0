"""What Dagster's daemon loads in tests that kill it: one stream, told by the environment.

``STREAM_SERVERS`` and ``STREAM_TOPIC`` say where messages are, ``STREAM_ROWS`` how many make a
batch, ``STREAM_PATIENCE`` after what time a run is taken for dead, ``STREAM_STEPS=together`` that
the steps of a run share its process. As a program it produces numbered messages at a steady pace
(``produce COUNT PARTITIONS SECONDS``), or loads one partition (``load KEY``). All that a message
holds follows from its number (:func:`body`, and :data:`EVENTS` in SQL), so that what windows say
can be told without the lake.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import timedelta
from typing import Any

import dagster as dg

from etl_platform.components.options import Retrying
from etl_platform.components.stream_source.component import StreamSourceComponent
from etl_platform.components.stream_source.options import (
    Batching,
    Compaction,
    Looking,
    StreamOptions,
)
from etl_platform.components.stream_source.window_options import WindowOptions
from etl_platform.resources import LakeResource

DECODE: dict[str, object] = {
    "format": "json",
    "columns": {
        "id": {"type": "int64", "required": True},
        "at": {"type": "timestamptz", "unit": "ms"},
        "shop": "int64",
        "visitor": "int64",
        "amount": "int64",
        "text": "string",
    },
}
BEGIN_MS = 1_767_225_600_000
"""2026-01-01 UTC."""
BEHIND = timedelta(seconds=6)
"""No event is further behind the newest of its partition."""
MINUTE, GAP = timedelta(minutes=1), timedelta(seconds=30)
EVENTS = f"""
    SELECT n AS id, {BEGIN_MS} + 10 * n + (n * 7919) % 5000 AS moment, n % 7 AS shop,
        (n // 500) % 40 AS visitor, (n * 31) % 1000 - 500 AS amount
    FROM (SELECT range AS n FROM range({{count}}))
"""
"""Messages as rows, in SQL; ``moment`` is ``at``, in milliseconds."""
_AGGREGATES: dict[str, object] = {
    "events": "count",
    "total": {"sum": "amount"},
    "lowest": {"min": "id"},
    "highest": {"max": "id"},
    "amounts": {"distinct": "amount"},
}
WINDOWS = {
    "by_minute": {"kind": "tumbling", "size": "1m", "keys": ["shop"]},
    "visits": {"kind": "session", "size": "30s", "keys": ["visitor"], "emit": "update"},
}


def body(number: int) -> bytes:
    """The message of a number: 120 bytes of JSON, up to five seconds of event time out of order."""
    said = b'{"id": %d, "at": %d, "shop": %d, "visitor": %d, "amount": %d, "text": "' % (
        number,
        BEGIN_MS + 10 * number + number * 7919 % 5000,
        number % 7,
        number // 500 % 40,
        number * 31 % 1000 - 500,
    )
    return said + b"x" * (118 - len(said)) + b'"}'


def _window(said: dict[str, Any]) -> WindowOptions:
    always = {"event_time": "at", "aggregates": _AGGREGATES, "out_of_orderness": "6s"}
    return WindowOptions.model_validate({**always, **said})


def made() -> dg.Definitions:
    """The stream, as a component declares it."""
    options = StreamOptions(
        topic=os.environ["STREAM_TOPIC"],
        decode=DECODE,
        batch=Batching(max_rows=int(os.environ["STREAM_ROWS"])),
        sensor=Looking(
            every_s=1,
            budget_s=5,
            max_unfinished=3,
            give_up_after=os.environ.get("STREAM_PATIENCE", "20s"),
        ),
        profile="off",
        windows={name: _window(said) for name, said in WINDOWS.items()},
    )
    component = StreamSourceComponent(
        target_schema="kills",
        kafka={"bootstrap_servers": os.environ["STREAM_SERVERS"]},
        streams={"events": options},
        compaction=Compaction(enabled=False),
        retry=Retrying(attempts=5, delay_s=0.5),
    )
    together = os.environ.get("STREAM_STEPS") == "together"
    others = dg.Definitions(
        resources={"lake": LakeResource()},
        executor=dg.in_process_executor if together else dg.multiprocess_executor,
    )
    return dg.Definitions.merge(
        component.build_defs(dg.ComponentTree.for_test().load_context), others
    )


if "STREAM_TOPIC" in os.environ and __name__ != "__main__":
    defs = made()


def produce(count: int, partitions: int, seconds: float) -> None:
    """Messages with the numbers up to ``count``, spread over some seconds; each partition begins
    and ends with a batch of one message."""
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
        if number in (partitions, count - partitions):
            # A watermark knows no partition that it has not seen yet.
            assert producer.flush() == 0
        message = body(number)
        while True:
            try:
                producer.produce(topic, message, partition=number % partitions)
                break
            except BufferError:
                producer.poll(0.1)
        if number % 1_000 == 0:
            producer.poll(0)
            ahead = started + seconds * number / count - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)
    assert producer.flush() == 0


def load(key: str, *, from_bytes: bool = False, windows: bool = False) -> dg.ExecuteInProcessResult:
    """Materialise a partition in this process, with what its windows add up if that is wanted."""
    config = {"ops": {"kills__events": {"config": {"from_dead_letters": from_bytes}}}}
    partials = [f"kills/{name}__partials" for name in WINDOWS] if windows else []
    return _materialised(["kills/events", *partials], key, config)


def load_results() -> dg.ExecuteInProcessResult:
    """Merge what the windows added up, in this process."""
    return _materialised([f"kills/{name}" for name in WINDOWS])


def _materialised(
    assets: list[str], key: str | None = None, config: dict[str, Any] | None = None
) -> dg.ExecuteInProcessResult:
    with (
        dg.DagsterInstance.get() as instance,
        dg.partition_loading_context(dynamic_partitions_store=instance),
    ):
        if key is not None:
            instance.add_dynamic_partitions("kills.events", [key])
        job = made().resolve_implicit_global_asset_job_def()
        return job.execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey.from_user_string(one) for one in assets],
            partition_key=key,
            run_config=config,
            raise_on_error=False,
        )


if __name__ == "__main__":
    if sys.argv[1] == "load":
        assert load(sys.argv[2]).success
    else:
        produce(int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
