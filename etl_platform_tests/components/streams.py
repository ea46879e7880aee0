"""A topic on a real broker, its component in a Dagster project, and ticks of its sensor."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import dagster as dg
from dagster._core.definitions.sensor_definition import SensorExecutionData

from etl_platform.core.names import TableName
from etl_platform.metastore import Metastore, StreamLog
from etl_platform_tests.components.conftest import Project
from etl_platform_tests.servers.kafka import KafkaServer, Message

TABLE = TableName("shop", "clicks")
ASSET = dg.AssetKey(["shop", "clicks"])
SENSOR = "shop_clicks_batches"
COLUMNS = {"id": {"type": "int64", "required": True}, "amount": "decimal(10, 2)"}


def message(number: int, partition: int = 0) -> Message:
    body = {"id": number, "amount": f"{number}.50"}
    return Message(json.dumps(body).encode(), str(number).encode(), partition)


def messages(numbers: Iterable[int], partitions: int = 1) -> list[Message]:
    return [message(number, number % partitions) for number in numbers]


@dataclass
class Feed:
    """One stream from its broker to its table."""

    project: Project
    server: KafkaServer
    topic: str
    cursors: dict[str, str | None] = field(default_factory=dict[str, "str | None"])

    def declare(self, **options: object) -> None:
        """Write the component; ``compaction`` is of the component, all else of the stream."""
        compaction = options.pop("compaction", {})
        stream = {
            "topic": self.topic,
            "decode": {"format": "json", "columns": COLUMNS},
            "profile": "off",
            **options,
        }
        attributes = {
            "target_schema": "shop",
            "kafka": {"bootstrap_servers": self.server.address},
            "retry": {"attempts": 0, "delay_s": 0},
            "streams": {"clicks": stream},
            "compaction": compaction,
        }
        self.project.write(
            "shop/defs.yaml",
            {"type": "etl_platform.StreamSourceComponent", "attributes": attributes},
        )

    @property
    def log(self) -> StreamLog:
        return Metastore.open(self.project.lake.settings.metastore_url).streams

    def produce(self, sent: Sequence[Message]) -> None:
        self.server.produce(self.topic, sent)

    def tick(self, sensor: str = SENSOR, cursor: str = "own") -> SensorExecutionData:
        """Evaluate the sensor as the daemon does: partitions are added, the cursor is kept.

        Args:
            cursor: under which name the cursor is kept: sensors of two deployments have two.
        """
        with self.project.defs() as defs:
            repository = defs.get_repository_def()
            with dg.build_sensor_context(
                instance=self.project.instance,
                instance_ref=self.project.instance.get_ref(),
                cursor=self.cursors.get(cursor),
                repository_def=repository,
                resources=repository.get_top_level_resources(),
            ) as context:
                told = repository.get_sensor_def(sensor).evaluate_tick(context)
        for request in told.dynamic_partitions_requests or ():
            assert isinstance(request, dg.AddDynamicPartitionsRequest)
            self.project.instance.add_dynamic_partitions(
                request.partitions_def_name, request.partition_keys
            )
        self.cursors[cursor] = told.cursor
        return told

    def keys(self, told: SensorExecutionData) -> list[str]:
        return [one.partition_key or "" for one in told.run_requests or ()]

    def load(self, *keys: str, **config: object) -> list[dg.ExecuteInProcessResult]:
        ops = {"ops": {"shop__clicks": {"config": config}}} if config else None
        instance = self.project.instance
        with (
            self.project.defs() as defs,
            dg.partition_loading_context(dynamic_partitions_store=instance),
        ):
            job = defs.resolve_implicit_global_asset_job_def()
            return [
                job.execute_in_process(
                    instance=instance,
                    asset_selection=[ASSET],
                    partition_key=key,
                    run_config=ops,
                    raise_on_error=False,
                )
                for key in keys
            ]

    def catch_up(self) -> list[str]:
        """Tick and load until nothing is left."""
        loaded: list[str] = []
        while keys := self.keys(self.tick()):
            for result in self.load(*keys):
                assert result.success, failures(result)
            loaded += keys
        return loaded

    def ids(self) -> list[int]:
        return sorted(int(str(row["id"])) for row in self.project.rows(TABLE.sql))

    def dead_letters(self) -> list[dict[str, object]]:
        if not self.project.lake.exists(TABLE.dead_letter):
            return []
        return self.project.rows(TABLE.dead_letter.sql)


def failures(result: dg.ExecuteInProcessResult) -> str:
    """Why the steps of a run failed."""
    return "\n".join(
        str(event.step_failure_data.error.to_string())
        for event in result.get_step_failure_events()
        if event.step_failure_data.error
    )
