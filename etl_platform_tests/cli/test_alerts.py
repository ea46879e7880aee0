"""``etl alerts``: what is open, who would be told, and a notice that is really sent."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from etl_platform.core.settings import Settings
from etl_platform.metastore import Metastore
from etl_platform.monitoring.alerts import Advice, Alerting, Rule, Signal
from etl_platform_tests.cli.conftest import Etl
from etl_platform_tests.servers.receivers import Receiver

DEFINITIONS = """
import dagster as dg
from etl_platform import AlertsComponent

@dg.asset(key=["shop", "orders"], owners=["team:sales"])
def orders() -> None: ...

@dg.asset(key=["lab", "trial"])
def trial() -> None: ...

alerts = AlertsComponent.from_attributes_dict(attributes={
    "channels": {"hook": {"url": "env://ALERTS_HOOK"}, "mail": {"url": "env://NOT_SET_HERE"}},
    "routes": [{"to": ["hook"], "owners": ["team:sales"]}, {"to": ["mail"], "groups": ["none"]}],
})
defs = dg.Definitions.merge(
    dg.Definitions(assets=[orders, trial]),
    alerts.build_defs(dg.ComponentTree.for_test().load_context),
)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"alerting_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(DEFINITIONS)
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


def test_a_dry_run_says_who_would_be_told_and_sends_nothing(
    etl: Etl, module: str, webhook: Receiver, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setenv("ALERTS_HOOK", webhook.url)
    done = etl("alerts", "test", "--module", module, "--json")
    assert done.returncode == 0
    hook, mail = json.loads(done.stdout)
    assert (hook["channel"], hook["result"], hook["assets"]) == ("hook", "set", ["shop/orders"])
    assert (mail["result"], mail["assets"]) == ("not set: tried again", [])
    assert webhook.messages == []
    shown = etl("alerts", "test", "--module", module)
    assert "shop/orders" in shown.stdout
    assert "nothing was sent" in shown.stderr


def test_a_test_notice_is_really_sent_when_that_is_said(
    etl: Etl, module: str, webhook: Receiver, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setenv("ALERTS_HOOK", webhook.url)
    done = etl("alerts", "test", "--module", module, "--channel", "hook", "--send")
    assert done.returncode == 0
    assert ["this is a test" in one.body for one in webhook.messages] == [True]
    assert etl("alerts", "test", "--module", module, "--send").returncode == 1  # mail has no URL
    refused = etl("alerts", "test", "--module", module, "--channel", "hok")
    assert "did you mean 'hook'?" in refused.stderr


def test_open_incidents_are_shown_with_the_next_step(etl: Etl, settings: Settings) -> None:
    assert "nothing is wrong" in etl("alerts").stderr
    log = Metastore.open(settings.metastore_url).alerts
    broken = Signal(
        kind="run_failure",
        at=datetime.now(UTC),
        bad=True,
        message="the database is away",
        asset="shop/orders",
        advice=Advice(next_step="etl resume 4f2c"),
    )
    alerting = Alerting("platform", (Rule(("run_failure",)),), (), ())
    alerting.take(log, [broken], log.cursor("platform"), "1", datetime.now(UTC))
    shown = etl("alerts").stdout
    assert "the database is away" in shown
    assert "etl resume 4f2c" in shown
    [incident] = json.loads(etl("alerts", "--json").stdout)["incidents"]
    assert (incident["asset"], incident["severity"]) == ("shop/orders", "error")
