"""``etl audit`` shows who changed what."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
import typer

from etl_platform.cli.audit import moment
from etl_platform.core.settings import Settings
from etl_platform.platform import Platform
from etl_platform_tests.cli.conftest import Etl

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


def test_a_revert_by_command_names_the_command(settings: Settings, etl: Etl) -> None:
    from etl_platform_tests.monitoring.test_audit import ORDERS

    lake = Platform.open().lake
    for ids in ([1], [1, 2]):
        lake.publish(lake.stage(ORDERS, pl.DataFrame({"id": ids})))
    assert etl("revert", "shop.orders", "--to", "0").returncode == 0
    told = json.loads(etl("audit", "shop.orders", "--json").stdout)
    assert [one["change"] for one in told] == ["revert", "replace", "replace"]
    assert told[0]["actor"]["command"] == "etl revert shop.orders --to 0"
    assert (told[0]["version_before"], told[0]["version_after"]) == (1, 2)
    line = etl("audit", "--limit", "1").stdout.splitlines()[2]
    assert "1 > 2" in line
    assert "etl revert shop.orders --to 0" in line
    assert etl("audit", "--since", "1h", "--json").stdout.count('"change"') == 3


def test_a_moment_is_a_date_or_an_age() -> None:
    assert moment(None) is None
    assert moment("2h", NOW) == NOW - timedelta(hours=2)
    assert moment("90s", NOW) == NOW - timedelta(seconds=90)
    assert moment("2026-11-01") == datetime(2026, 11, 1, tzinfo=UTC)
    assert moment("2026-11-01T08:00:00+01:00") == datetime(2026, 11, 1, 7, tzinfo=UTC)


@pytest.mark.parametrize("text", ["yesterday", "2w", "99999999999999d", ""])
def test_anything_else_is_wrong_usage(settings: Settings, etl: Etl, text: str) -> None:
    with pytest.raises(typer.BadParameter):
        moment(text)
    ended = etl("audit", "--since", text)
    assert ended.returncode == 2
    assert "--since" in ended.stderr
    assert "no moment" in ended.stderr
