"""What is so now, and what a failure reminds of: told once when it begins and once when it ends."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from dagster._core.test_utils import freeze_time
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import PythonFileTarget
from dagster._daemon.freshness import FreshnessDaemon

from etl_platform.components.alerts.component import AlertsComponent
from etl_platform.components.assets import Event, TableAsset, build_asset
from etl_platform.components.options import AssetOptions
from etl_platform.components.stream_source.replaying import Replay
from etl_platform.core.errors import PermanentError
from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.metastore import Metastore
from etl_platform.publishing.failures import Retries
from etl_platform.publishing.publish import Publication, publish
from etl_platform.quality import Contract
from etl_platform.resources import LakeResource
from etl_platform_tests.components.conftest import Project
from etl_platform_tests.components.streams import COLUMNS, TABLE, Feed, messages
from etl_platform_tests.servers.kafka import KafkaServer, Message
from etl_platform_tests.servers.receivers import Receiver

CHANNELS = {"mail": {"url": "env://ALERTS_MAIL"}, "hook": {"url": "env://ALERTS_HOOK"}}


@pytest.fixture
def receivers(
    mailbox: Receiver, webhook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> tuple[Receiver, Receiver]:
    monkeypatch.setenv("ALERTS_MAIL", mailbox.url)
    monkeypatch.setenv("ALERTS_HOOK", webhook.url)
    return mailbox, webhook


def look(defs: dg.Definitions, instance: dg.DagsterInstance) -> None:
    with dg.build_sensor_context(
        instance=instance, definitions=defs, resources={"lake": LakeResource()}
    ) as context:
        defs.resolve_sensor_def("platform_alerts").evaluate_tick(context)


def alerts(*kinds: str, **rule: object) -> dg.Definitions:
    made = AlertsComponent.from_attributes_dict(
        attributes={"channels": CHANNELS, "rules": [{"kinds": list(kinds), **rule}]}
    )
    return made.build_defs(dg.ComponentTree.for_test().load_context)


def told(receivers: tuple[Receiver, Receiver]) -> list[str]:
    """The changes that each receiver was told, which have to be the same, in order."""
    mail, hook = ([mark for one in r.once() for mark, _ in one.changes()] for r in receivers)
    assert mail == hook
    assert all(Counter(r.changes()).most_common(1)[0][1] == 1 for r in receivers if r.messages)
    return mail


@pytest.mark.stored_instance
def test_a_stream_that_lags_is_told_until_it_has_caught_up(
    project: Project, kafka_server: KafkaServer, receivers: tuple[Receiver, Receiver]
) -> None:
    feed = Feed(project, kafka_server, kafka_server.create())
    feed.declare()
    defs = alerts("stream_lag", above=0.0)
    feed.tick()
    look(defs, project.instance)
    assert told(receivers) == []
    feed.produce(messages(range(40)))
    waiting = feed.keys(feed.tick())
    for _ in range(3):
        look(defs, project.instance)
    assert told(receivers) == ["OPEN"]
    assert "40 messages wait" in receivers[0].messages[0].body
    feed.load(*waiting)
    feed.catch_up()
    for _ in range(2):
        look(defs, project.instance)
    assert told(receivers) == ["OPEN", "RECOVERED"]


@pytest.mark.stored_instance
def test_dead_letters_are_told_until_they_are_replayed(
    project: Project, kafka_server: KafkaServer, receivers: tuple[Receiver, Receiver]
) -> None:
    feed = Feed(project, kafka_server, kafka_server.create())
    feed.declare(decode={"format": "json", "columns": {**COLUMNS, "n": "int64"}})
    defs = alerts("dead_letters")
    feed.produce(messages(range(5)))
    feed.catch_up()
    look(defs, project.instance)
    feed.produce([Message(b'{"id": 9, "n": "many"}', None, 0)])
    feed.catch_up()
    for _ in range(2):
        look(defs, project.instance)
    assert told(receivers) == ["OPEN"]
    assert "1 messages in the dead letter table" in receivers[1].messages[0].body
    assert f"etl replay-dead-letters {TABLE}" in receivers[1].messages[0].body
    feed.declare(decode={"format": "json", "columns": COLUMNS})
    with project.defs() as made:
        assert [one.error for one in Replay(made, project.instance, project.lake, TABLE).run()] == [
            None
        ]
    for _ in range(2):
        look(defs, project.instance)
    assert told(receivers) == ["OPEN", "RECOVERED"]


@dataclass
class World:
    """What the asset does in the next run."""

    error: str | None = None
    naps_s: float = 0.0
    values: list[int] = field(default_factory=lambda: [1])


def shop(world: World, *others: dg.Definitions, **options: object) -> dg.Definitions:
    """A table of the platform, with the alerts that watch it."""
    table = TableName("shop", "orders")

    def body(context: dg.AssetExecutionContext) -> Iterator[Event]:
        time.sleep(world.naps_s)
        if world.error:
            raise PermanentError(world.error)
        rows = pl.DataFrame({"id": world.values})
        from etl_platform.lakehouse import Mode

        publication = Publication(table, Contract(), Mode.REPLACE)
        yield from publish(context, context.resources.lake, rows, publication)

    asset = build_asset(
        TableAsset(
            table=table,
            options=AssetOptions.model_validate({"profile": "off", **options}),
            contract=Contract(),
            body=body,
            kinds=frozenset(),
            retries=Retries(attempts=0),
            code_version=str(world.values),
        )
    )
    own = dg.Definitions(
        assets=[asset],
        jobs=[dg.define_asset_job("daily", dg.AssetSelection.all())],
        resources={"lake": LakeResource()},
    )
    return dg.Definitions.merge(own, *others)


@dataclass
class Watched:
    defs: dg.Definitions
    instance: dg.DagsterInstance

    def run(self) -> dg.ExecuteInProcessResult:
        job = self.defs.resolve_job_def("daily")
        return job.execute_in_process(instance=self.instance, raise_on_error=False)

    def look(self, times: int = 1) -> None:
        for _ in range(times):
            look(self.defs, self.instance)


def test_a_slow_run_is_told_until_one_is_as_fast_as_usual(
    settings: Settings, memory_instance: dg.DagsterInstance, receivers: tuple[Receiver, Receiver]
) -> None:
    world = World()
    watched = Watched(shop(world, alerts("slow_run", above=3.0)), memory_instance)
    for _ in range(6):
        assert watched.run().success
    watched.look()
    world.naps_s = 3.2  # usual runs count as a second at least
    assert watched.run().success
    watched.look(3)
    assert told(receivers) == ["OPEN"]
    assert "usual are 1 s" in receivers[0].messages[0].body
    world.naps_s = 0
    assert watched.run().success
    watched.look(2)
    assert told(receivers) == ["OPEN", "RECOVERED"]


def test_a_deadline_that_passed_is_told_until_the_table_is_there(
    settings: Settings, memory_instance: dg.DagsterInstance, receivers: tuple[Receiver, Receiver]
) -> None:
    sla = {"by": "00:00", "timezone": "UTC"}
    watched = Watched(shop(World(), alerts("sla"), sla=sla), memory_instance)
    watched.look(3)
    assert told(receivers) == ["OPEN"]
    assert "not there" in receivers[0].messages[0].body
    assert watched.run().success
    watched.look(2)
    assert told(receivers) == ["OPEN", "RECOVERED"]


def test_a_failure_like_one_before_is_told_with_what_ended_that(
    settings: Settings, memory_instance: dg.DagsterInstance, receivers: tuple[Receiver, Receiver]
) -> None:
    world = World()
    defs = shop(world, alerts("run_failure"))
    watched = Watched(defs, memory_instance)
    watched.look()
    world.error = "the export of 2026-01-01 has no column 'amount'"
    first = watched.run().run_id
    watched.look()
    assert "a failure like this" not in receivers[0].messages[0].body
    world.error = None
    assert watched.run().success
    watched.look()
    world.error = "the export of 2026-01-02 has no column 'amount'"
    assert not watched.run().success
    watched.look(2)
    assert told(receivers) == ["OPEN", "RECOVERED", "OPEN"]
    for receiver in receivers:
        body = receiver.messages[-1].body
        assert f"a failure like this, of run {first[:8]}, ended when" in body
        assert "see etl why" in body
    assert [one.resolution for one in Metastore.open(settings.metastore_url).failures.all_open()]


AGE = timedelta(hours=2)
TIMED = """
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
import dagster as dg

@dg.asset(freshness_policy=dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=1)))
def orders(): ...

defs = dg.Definitions(assets=[orders])
"""


def test_a_table_that_is_too_old_is_told_until_it_is_fresh(
    settings: Settings,
    stored_instance: dg.DagsterInstance,
    receivers: tuple[Receiver, Receiver],
    tmp_path: Path,
) -> None:
    file = tmp_path / "timed.py"
    file.write_text(TIMED)
    namespace: dict[str, Any] = {}
    exec(TIMED, namespace)  # the same as the code server has
    own = dg.Definitions.merge(
        namespace["defs"], dg.Definitions(resources={"lake": LakeResource()}), alerts("freshness")
    )

    def materialize() -> None:
        assert dg.materialize([namespace["orders"]], instance=stored_instance).success

    target = PythonFileTarget(str(file), None, str(tmp_path), "timed")
    with WorkspaceProcessContext(stored_instance, target) as workspace:
        daemon = FreshnessDaemon()
        with freeze_time(datetime.now(UTC) - AGE):
            materialize()
            list(daemon.run_iteration(workspace))
        look(own, stored_instance)
        assert told(receivers) == []
        list(daemon.run_iteration(workspace))
        for _ in range(3):
            look(own, stored_instance)
        assert told(receivers) == ["OPEN"]
        assert "older than it may be" in receivers[0].messages[0].body
        materialize()
        list(daemon.run_iteration(workspace))
        for _ in range(2):
            look(own, stored_instance)
        assert told(receivers) == ["OPEN", "RECOVERED"]
