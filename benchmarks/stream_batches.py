"""What a batch of a stream costs however small it is: the sensor's tick and Dagster's run."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

import dagster as dg

from benchmarks.measure import Operation
from benchmarks.stream_broker import ADDRESS, event
from benchmarks.stream_loading import COLUMNS, fresh

if TYPE_CHECKING:
    from dagster._core.definitions.sensor_definition import SensorExecutionData

_TICKS = 100
_BATCHES = 9


def ticks() -> Operation:
    """Ticks of the sensor over 64 partitions; new messages in two of them make every one cut."""
    topic = _topic(64)

    def run() -> dict[str, float]:
        taken: list[float] = []
        with _stream(topic) as (defs, instance):
            for turn in range(_TICKS):
                _produce(topic, [turn % 64, (turn + 7) % 64])
                started = time.perf_counter()
                told = _tick(defs, instance, cursor=str(turn - 1))
                taken.append((time.perf_counter() - started) * 1000)
                assert len(told.run_requests or ()) == 1, told
        taken.sort()
        return {"p50_ms": taken[_TICKS // 2], "p95_ms": taken[_TICKS * 95 // 100]}

    return run


def fixed() -> Operation:
    """Runs of batches of a few messages in this process, with Dagster's events and all metadata."""
    topic = _topic(4)

    def run() -> dict[str, float]:
        taken: list[float] = []
        with _stream(topic) as (defs, instance):
            for turn in range(_BATCHES):
                _produce(topic, list(range(4)))
                (request,) = list(_tick(defs, instance, cursor=str(turn - 1)).run_requests or ())
                assert request.partition_key is not None
                instance.add_dynamic_partitions("bench.events", [request.partition_key])
                started = time.perf_counter()
                done = dg.materialize(
                    list(defs.assets or ()),  # pyright: ignore[reportArgumentType] # built above
                    instance=instance,
                    partition_key=request.partition_key,
                    resources=dict(defs.resources or {}),
                )
                assert done.success
                taken.append(time.perf_counter() - started)
        return {"first_s": taken[0], "median_s": sorted(taken)[_BATCHES // 2]}

    return run


@contextmanager
def _stream(topic: str) -> Generator[tuple[dg.Definitions, dg.DagsterInstance]]:
    from etl_platform.components.stream_source.component import StreamSourceComponent
    from etl_platform.components.stream_source.options import StreamOptions
    from etl_platform.resources import LakeResource

    component = StreamSourceComponent(
        target_schema="bench",
        kafka={"bootstrap_servers": ADDRESS.read_text()},
        streams={
            "events": StreamOptions.model_validate(
                {"topic": topic, "decode": {"format": "json", "columns": COLUMNS}}
            )
        },
    )
    folder = fresh("dagster")
    (folder / "home").mkdir()
    with dg.DagsterInstance.local_temp(str(folder / "home")) as instance:
        lake = LakeResource(
            lake_uri=str(folder / "lake"), metastore_url=f"sqlite:///{folder / 'metastore.db'}"
        )
        built = component.build_defs(dg.ComponentTree.for_test().load_context)
        yield dg.Definitions.merge(built, dg.Definitions(resources={"lake": lake})), instance


def _tick(defs: dg.Definitions, instance: dg.DagsterInstance, cursor: str) -> SensorExecutionData:
    """A tick in a process that has the definitions, as the daemon has it evaluated."""
    repository = defs.get_repository_def()
    with dg.build_sensor_context(
        instance=instance,
        instance_ref=instance.get_ref(),
        cursor=None if cursor == "-1" else cursor,
        repository_def=repository,
        resources=repository.get_top_level_resources(),
    ) as context:
        return repository.get_sensor_def("bench_events_batches").evaluate_tick(context)


def _topic(partitions: int) -> str:
    from confluent_kafka.admin import (
        AdminClient,
        NewTopic,  # pyright: ignore[reportPrivateImportUsage] - documented as public
    )

    name = f"t_{uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": ADDRESS.read_text()})
    admin.create_topics([NewTopic(name, partitions, 1)])[name].result(30)
    return name


def _produce(topic: str, partitions: list[int]) -> None:
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": ADDRESS.read_text(), "linger.ms": 0})
    for partition in partitions:
        producer.produce(topic, event(partition), partition=partition)
    producer.flush()
