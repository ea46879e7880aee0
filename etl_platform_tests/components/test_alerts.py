"""The alert sensor sees what Dagster's event log and the platform's records say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import dagster as dg
import pytest

from etl_platform.components.alerts.component import AlertsComponent
from etl_platform.components.alerts.options import RouteOptions
from etl_platform.core.errors import ConfigError
from etl_platform.core.settings import Settings
from etl_platform.metastore import AlertLog, Metastore
from etl_platform.resources import LakeResource
from etl_platform_tests.servers.receivers import Receiver


@dataclass
class World:
    """What assets do in the next run."""

    fails: bool = False
    broken: bool = False
    refused: bool = False
    told: list[str] = field(default_factory=list)


@dataclass
class Watched:
    world: World
    defs: dg.Definitions
    instance: dg.DagsterInstance
    log: AlertLog

    def run(self, partition: str | None = None) -> str:
        job = self.defs.resolve_job_def("daily")
        done = job.execute_in_process(
            instance=self.instance, raise_on_error=False, partition_key=partition
        )
        return done.run_id

    def look(self) -> None:
        sensor = self.defs.resolve_sensor_def("platform_alerts")
        with dg.build_sensor_context(
            instance=self.instance,
            definitions=self.defs,
            resources={"lake": LakeResource()},
        ) as context:
            sensor.evaluate_tick(context)

    def open(self) -> set[str]:
        return {one.subject for one in self.log.incidents()}


def definitions(world: World) -> dg.Definitions:
    @dg.asset(
        key=["shop", "orders"],
        owners=["team:sales"],
        group_name="shop",
        check_specs=[
            dg.AssetCheckSpec("unique", asset=["shop", "orders"]),
            dg.AssetCheckSpec("anomaly_rows", asset=["shop", "orders"]),
            dg.AssetCheckSpec("not_null", asset=["shop", "orders"]),
        ],
        output_required=False,
    )
    def orders():
        if world.fails:
            raise dg.Failure("the database is away", allow_retries=False)
        warn = dg.AssetCheckSeverity.WARN
        yield dg.AssetCheckResult(passed=not world.broken, check_name="unique")
        yield dg.AssetCheckResult(passed=not world.broken, check_name="anomaly_rows", severity=warn)
        yield dg.AssetCheckResult(
            passed=not world.refused,
            check_name="not_null",
            description="3 of 9 rows break the rule; nothing was published",
            metadata={"action": dg.MetadataValue.text("block")},
        )
        if world.refused:
            raise dg.Failure("refused", allow_retries=False)
        yield dg.Output(None)

    @dg.asset(key=["mart", "sales"], deps=[orders])
    def sales() -> None: ...

    options = AlertsComponent.from_attributes_dict(
        attributes={
            "channels": {
                "mail": {"url": "env://ALERTS_MAIL"},
                "hook": {"url": "env://ALERTS_HOOK"},
            },
            "base_url": "http://dagster:3000",
        }
    )
    daily = dg.define_asset_job("daily", dg.AssetSelection.all())
    return dg.Definitions.merge(
        dg.Definitions(assets=[orders, sales], jobs=[daily], resources={"lake": LakeResource()}),
        options.build_defs(dg.ComponentTree.for_test().load_context),
    )


@pytest.fixture
def watched(
    settings: Settings,
    memory_instance: dg.DagsterInstance,
    mailbox: Receiver,
    webhook: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> Watched:
    monkeypatch.setenv("ALERTS_MAIL", mailbox.url)
    monkeypatch.setenv("ALERTS_HOOK", webhook.url)
    world = World()
    log = Metastore.open(settings.metastore_url).alerts
    return Watched(world, definitions(world), memory_instance, log)


def fail(world: World, wrong: bool) -> None:
    world.fails = wrong


def break_(world: World, wrong: bool) -> None:
    world.broken = wrong


def refuse(world: World, wrong: bool) -> None:
    world.refused = wrong


@pytest.mark.parametrize(
    ("inject", "subjects"),
    [
        (fail, {"run_failure|shop/orders||"}),
        (break_, {"check_failed|shop/orders||unique", "anomaly|shop/orders||anomaly_rows"}),
        # What a check refused is one incident, not also a failed run.
        (refuse, {"check_blocked|shop/orders||not_null"}),
    ],
)
def test_an_incident_is_told_once_and_so_is_its_end(
    watched: Watched,
    mailbox: Receiver,
    webhook: Receiver,
    inject: Callable[[World, bool], None],
    subjects: set[str],
) -> None:
    watched.run()
    watched.look()
    inject(watched.world, True)
    run_id = watched.run()
    for _ in range(3):
        watched.look()
    assert watched.open() == subjects
    watched.run()  # it stays broken, which is no news
    watched.look()
    inject(watched.world, False)
    watched.run()
    for _ in range(2):
        watched.look()
    assert watched.open() == set()
    for receiver in (mailbox, webhook):
        assert len(receiver.messages) == 2
        assert sorted(receiver.changes().values()) == [1] * 2 * len(subjects)
        for told in ("shop/orders", f"http://dagster:3000/runs/{run_id}", "team:sales", "mart/sal"):
            assert told in receiver.messages[0].body


def test_what_happened_before_the_first_look_is_no_news(watched: Watched) -> None:
    watched.world.fails = True
    watched.run()
    watched.look()
    watched.look()
    assert watched.open() == set()


def test_a_route_to_no_channel_is_refused_when_definitions_load() -> None:
    made = AlertsComponent(channels={}, routes=[RouteOptions(to=["pager"])])
    with pytest.raises(ConfigError, match="'pager'"):
        made.build_defs(dg.ComponentTree.for_test().load_context)
