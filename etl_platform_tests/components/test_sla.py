"""An asset with an SLA is judged by the wall clock of its zone, each partition by its own end."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import dagster as dg
import pytest
from dagster._core.events import StepMaterializationData
from pydantic import ValidationError

from etl_platform.components.alerts.advice import Advisor
from etl_platform.components.alerts.levels import sla_signals
from etl_platform.components.options import AssetOptions
from etl_platform.components.sla.component import TABLE, SlaComponent
from etl_platform.components.sla.gathering import kept
from etl_platform.components.sla.terms import Sla
from etl_platform.core.settings import Settings
from etl_platform.lakehouse import Lake
from etl_platform.monitoring.sla import compliance, html_report
from etl_platform.resources import LakeResource
from etl_platform_tests.cli.conftest import Etl, etl  # noqa: F401 # a fixture

BERLIN = "Europe/Berlin"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("sla", "begin", "deadlines"),
    [
        # The clock goes forward on 31 March: seven o'clock is an hour earlier in UTC.
        (
            {"by": "07:00", "timezone": BERLIN},
            "2024-03-30T00:00",
            ["2024-03-30T06:00", "2024-03-31T05:00", "2024-04-01T05:00"],
        ),
        # A time that is skipped is the moment of the change.
        (
            {"by": "02:30", "timezone": BERLIN},
            "2024-03-30T00:00",
            ["2024-03-30T01:30", "2024-03-31T01:00", "2024-04-01T00:30"],
        ),
        # One that comes twice is the first.
        (
            {"by": "02:30", "timezone": BERLIN},
            "2024-10-26T00:00",
            ["2024-10-26T00:30", "2024-10-27T00:30", "2024-10-28T01:30"],
        ),
        # Leap day, and a weekend between.
        (
            {"by": "07:00", "days": "weekdays"},
            "2024-02-29T00:00",
            ["2024-02-29T07:00", "2024-03-01T07:00", "2024-03-04T07:00"],
        ),
        (
            {"cron": "0 6 * * *", "max_lag": "2h", "timezone": BERLIN},
            "2024-03-30T00:00",
            ["2024-03-30T07:00", "2024-03-31T06:00", "2024-04-01T06:00"],
        ),
        (
            {"deadline": "0 9 * * *", "within": "3h"},
            "2024-03-30T00:00",
            ["2024-03-30T09:00", "2024-03-31T09:00", "2024-04-01T09:00"],
        ),
    ],
)
def test_deadlines_follow_the_clock(sla: dict[str, str], begin: str, deadlines: list[str]) -> None:
    found = Sla.model_validate(sla).deadlines(at(begin))
    assert [next(found)[1] for _ in deadlines] == [at(one) for one in deadlines]


@pytest.mark.parametrize(
    "sla",
    [
        {},
        {"by": "07:00", "cron": "0 7 * * *"},
        {"cron": "0 7 * * *"},
        {"by": "25:00"},
        {"by": "07:00", "days": "someday"},
        {"by": "07:00", "timezone": "Mars/Olympus"},
        {"cron": "x", "max_lag": "1h"},
    ],
)
def test_terms_that_say_nothing_or_too_much_are_refused(sla: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        AssetOptions.model_validate({"sla": sla})


def stated(**sla: str) -> dict[str, object]:
    return AssetOptions.model_validate({"sla": sla}).stated


@dg.asset(key=["shop", "orders"], metadata=stated(by="07:00", timezone=BERLIN))
def orders() -> None: ...


@dg.asset(
    key=["shop", "visits"],
    metadata=stated(by="07:00", timezone=BERLIN),
    partitions_def=dg.DailyPartitionsDefinition("2024-03-25", timezone=BERLIN),
)
def visits() -> None: ...


@dg.asset(
    key=["shop", "fresh"],
    freshness_policy=dg.FreshnessPolicy.cron("0 9 * * *", timedelta(hours=3), "UTC"),
)
def fresh() -> None: ...


def made(
    instance: dg.DagsterInstance, key: dg.AssetKey, when: str, partition: str | None = None
) -> None:
    """Keep a materialisation of another time, as a run of then would have done."""
    event = dg.DagsterEvent(
        event_type_value=dg.DagsterEventType.ASSET_MATERIALIZATION.value,
        job_name="daily",
        event_specific_data=StepMaterializationData(
            dg.AssetMaterialization(asset_key=key, partition=partition)
        ),
    )
    entry = dg.EventLogEntry(
        error_info=None,
        level=20,
        user_message="",
        run_id=str(uuid4()),
        timestamp=at(when).timestamp(),
        dagster_event=event,
    )
    instance.event_log_storage.store_event(entry)


def test_a_table_is_met_late_or_missed_by_the_day(memory_instance: dg.DagsterInstance) -> None:
    made(memory_instance, orders.key, "2024-03-30T05:30")
    made(memory_instance, orders.key, "2024-03-31T05:30")  # half past seven, by the new time
    graph = dg.Definitions(assets=[orders, fresh]).resolve_asset_graph()
    made(memory_instance, fresh.key, "2024-03-31T07:00")
    made(memory_instance, fresh.key, "2024-03-30T05:00")  # before three hours before nine
    rows = kept(memory_instance, graph, at("2024-04-01T12:00"), timedelta(days=2, hours=8))
    found = {(one.asset, f"{one.expected_by:%m-%d}"): one.status for one in rows}
    assert found == {
        ("shop/orders", "03-30"): "met",
        ("shop/orders", "03-31"): "late",
        ("shop/orders", "04-01"): "missed",
        ("shop/orders", "04-02"): "waiting",
        ("shop/fresh", "03-30"): "missed",
        ("shop/fresh", "03-31"): "met",
        ("shop/fresh", "04-01"): "missed",
        ("shop/fresh", "04-02"): "waiting",
    }
    [of_fresh, of_orders] = compliance(rows)
    assert (of_orders.share, of_orders.worst_late_s) == (pytest.approx(1 / 3), 1800)
    assert of_fresh.missed == 2
    page = html_report(rows)
    assert "33.3%" in page
    assert "<svg" in page


def test_a_partition_is_expected_after_its_own_end(memory_instance: dg.DagsterInstance) -> None:
    made(memory_instance, visits.key, "2024-03-30T04:00", "2024-03-29")
    made(memory_instance, visits.key, "2024-03-31T09:00", "2024-03-30")
    graph = dg.Definitions(assets=[visits]).resolve_asset_graph()
    now = at("2024-04-01T12:00")
    rows = kept(memory_instance, graph, now, timedelta(days=3))
    assert {one.partition: (one.status, f"{one.expected_by:%d %H:%M}") for one in rows} == {
        "2024-03-29": ("met", "30 06:00"),
        "2024-03-30": ("late", "31 05:00"),
        "2024-03-31": ("missed", "01 05:00"),
    }
    signals = {one.partition: one.bad for one in sla_signals(memory_instance, Advisor(graph), now)}
    assert signals["2024-03-31"]
    assert not signals["2024-03-30"]


def test_the_asset_keeps_every_deadline_as_a_table_with_a_picture(
    settings: Settings, memory_instance: dg.DagsterInstance
) -> None:
    made(memory_instance, orders.key, f"{datetime.now(UTC):%Y-%m-%d}T00:00")
    component = SlaComponent.from_attributes_dict(attributes={"lookback": "10d"})
    defs = dg.Definitions.merge(
        component.build_defs(dg.ComponentTree.for_test().load_context),
        dg.Definitions(assets=[orders], resources={"lake": LakeResource()}),
    )
    done = defs.resolve_job_def("sla_refresh").execute_in_process(instance=memory_instance)
    [event] = done.asset_materializations_for_node("main__sla")
    assert "data:image/svg+xml" in event.metadata["sla"].value
    rows = Lake(settings=settings).scan(TABLE).collect()
    assert set(rows["status"]) >= {"missed"}
    assert set(rows["asset"]) == {"shop/orders"}


def test_the_command_prints_compliance_and_writes_a_page(
    etl: Etl,  # noqa: F811
    stored_instance: dg.DagsterInstance,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "with_sla.py").write_text(
        "import dagster as dg\nfrom etl_platform.components.options import AssetOptions\n"
        "@dg.asset(key=['shop', 'orders'], metadata=AssetOptions.model_validate("
        "{'sla': {'by': '00:00'}}).stated)\ndef orders(): ...\n"
        "defs = dg.Definitions(assets=[orders])\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    page = tmp_path / "sla.html"
    shown = etl("sla", "--module", "with_sla", "--days", "3", "--html", str(page))
    assert "shop/orders" in shown.stdout
    assert "<svg" in page.read_text()
    told = json.loads(etl("sla", "--module", "with_sla", "--json").stdout)
    assert told["assets"][0]["missed"] >= 29
