"""``etl anomalies`` judges what is recorded, and keeps what people say."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner, Result

from etl_platform import Platform
from etl_platform.cli.app import app
from etl_platform.core.errors import ConfigError, UnknownName
from etl_platform.core.settings import Settings
from etl_platform.metastore import MetricPointRecord

TODAY = datetime(2024, 2, 29, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _history(settings: Settings) -> None:
    platform = Platform.open(settings)
    for n in range(31):
        platform.metastore.metrics.record(
            MetricPointRecord(
                lake=platform.lake.uri,
                table="shop.orders",
                event_time=TODAY - timedelta(days=30 - n),
                version=n,
                metrics=json.dumps({"rows": 1000 + n % 5 if n < 30 else 10, "id.null_share": 0}),
            )
        )


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["anomalies", "shop.orders", *arguments])


def statuses(*arguments: str) -> dict[str, str]:
    found = run(*arguments, "--json")
    assert found.exit_code == 0, found.output
    return {one["metric"]: one["status"] for one in json.loads(found.stdout)}


def test_the_newest_point_is_judged() -> None:
    expected = {"rows": "anomaly", "id.null_share": "normal", "gap": "normal"}
    assert statuses() == expected
    shown = run().stdout
    assert "10 is below the expected" in shown


def test_what_is_normal_now_is_learnt_anew() -> None:
    assert statuses("--normal", "rows", "--note", "we sell less")["rows"] == "learning"
    assert statuses()["id.null_share"] == "normal"


def test_a_mute_holds_until_its_end_or_until_it_is_taken_back() -> None:
    assert statuses("--mute", "rows", "--until", "2024-02-28")["rows"] == "anomaly"
    assert statuses("--mute", "*", "--until", "2024-03-28")["rows"] == "muted"
    assert statuses("--unmute", "*")["rows"] == "anomaly"


def test_an_unknown_metric_or_sensitivity_is_told() -> None:
    unknown = run("--mute", "row").exception
    assert isinstance(unknown, UnknownName)
    assert unknown.nearest == "rows"
    assert isinstance(run("--sensitivity", "extreme").exception, ConfigError)


def test_a_table_without_history_shows_nothing() -> None:
    found = CliRunner().invoke(app, ["anomalies", "shop.absent"])
    assert found.exit_code == 0
    assert "no history yet" in found.output
