"""Rules, decisions, routes and quiet hours, each as a table."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_platform.core.errors import ConcurrentWrite, ConfigError
from etl_platform.core.settings import Settings
from etl_platform.metastore import Metastore
from etl_platform.monitoring.alerts import (
    Advice,
    Alerting,
    Channel,
    Item,
    Kind,
    QuietHours,
    Route,
    Rule,
    Severity,
    Signal,
    decide,
)
from etl_platform.monitoring.alerts.notices import from_json, subject_of, text_of
from etl_platform.monitoring.alerts.routes import channels_of
from etl_platform.monitoring.alerts.rules import judged

BEGIN = datetime(2024, 3, 1, 6, tzinfo=UTC)


def signal(
    minute: int,
    *,
    bad: bool = True,
    kind: Kind = "check_failed",
    severity: Severity = "error",
    value: float | None = None,
    asset: str = "shop/orders",
    advice: Advice | None = None,
) -> Signal:
    return Signal(
        kind=kind,
        at=BEGIN + timedelta(minutes=minute),
        bad=bad,
        message="broken" if bad else "mended",
        severity=severity,
        asset=asset,
        value=value,
        advice=advice or Advice(),
    )


@pytest.mark.parametrize(
    ("signals", "told"),
    [
        ([signal(0)], ["opened"]),
        ([signal(0), signal(1), signal(2)], ["opened"]),
        ([signal(0), signal(1, bad=False)], ["opened", "recovered"]),
        ([signal(0), signal(1, bad=False), signal(2, bad=False)], ["opened", "recovered"]),
        ([signal(0), signal(1, bad=False), signal(2)], ["opened", "recovered", "opened"]),
        ([signal(0, bad=False)], []),
        ([signal(0, severity="warn"), signal(1)], ["opened", "worse"]),
        ([signal(0), signal(1, severity="warn"), signal(2)], ["opened"]),
        ([signal(1), signal(0, bad=False)], ["opened"]),
    ],
)
def test_trouble_is_told_when_it_begins_gets_graver_and_ends(
    signals: list[Signal], told: list[str]
) -> None:
    assert [one.what for one in decide("a", {}, signals)[1]] == told


@given(
    st.lists(st.tuples(st.integers(0, 50), st.booleans()), max_size=20, unique_by=lambda x: x[0])
)
def test_observations_that_are_read_again_change_nothing(seen: list[tuple[int, bool]]) -> None:
    signals = [signal(minute, bad=bad) for minute, bad in sorted(seen)]
    incidents, _ = decide("a", {}, signals)
    newest = {one.subject: one for one in incidents}
    if incidents:  # the newest of a subject is the last of its incidents
        newest = {incidents[-1].subject: max(incidents, key=lambda one: one.opened_at)}
    again, changes = decide("a", newest, signals)
    if newest:
        assert (again, changes) == ([], [])


@pytest.mark.parametrize(
    ("rule", "seen", "bad"),
    [
        (Rule(("check_failed",)), signal(0), True),
        (Rule(("check_failed",), at_least="error"), signal(0, severity="warn"), False),
        (Rule(("stream_lag",), above=60), signal(0, kind="stream_lag", value=60), False),
        (Rule(("stream_lag",), above=60), signal(0, kind="stream_lag", value=61), True),
        (Rule(("run_failure",)), signal(0), None),
        (Rule(("check_failed",), assets=("lab/*",)), signal(0), None),
    ],
)
def test_a_rule_says_what_is_an_incident(rule: Rule, seen: Signal, bad: bool | None) -> None:
    found = judged([rule], [seen])
    assert [one.bad for one in found] == ([] if bad is None else [bad])


SALES = Advice(owners=("team:sales",), group="shop", tags={"tier": "gold"})


@pytest.mark.parametrize(
    ("route", "goes"),
    [
        (Route(("mail",)), True),
        (Route(("mail",), owners=("team:*",)), True),
        (Route(("mail",), owners=("team:flights",)), False),
        (Route(("mail",), groups=("shop",)), True),
        (Route(("mail",), groups=("lab",)), False),
        (Route(("mail",), tags={"tier": "gold"}), True),
        (Route(("mail",), tags={"tier": "*"}), True),
        (Route(("mail",), tags={"tier": "silver"}), False),
        (Route(("mail",), at_least="error"), False),
        (Route(("mail",), kinds=("run_failure",)), False),
        (Route(("mail",), assets=("shop/*",)), True),
    ],
)
def test_a_route_is_chosen_by_all_that_it_says(route: Route, goes: bool) -> None:
    [incident], _ = decide("a", {}, [signal(0, severity="warn", advice=SALES)])
    assert channels_of([route], incident) == (("mail",) if goes else ())


def test_a_last_route_ends_the_search() -> None:
    [incident], _ = decide("a", {}, [signal(0)])
    routes = [Route(("mail",), last=True), Route(("pager",))]
    assert channels_of(routes, incident) == ("mail",)


BERLIN = "Europe/Berlin"
NIGHT = QuietHours(time(22), time(7), BERLIN)


@pytest.mark.parametrize(
    ("hours", "moment", "until"),
    [
        (NIGHT, "2024-01-10T20:59", None),
        (NIGHT, "2024-01-10T21:00", "2024-01-11T06:00"),
        (NIGHT, "2024-01-11T05:59", "2024-01-11T06:00"),
        (NIGHT, "2024-01-11T06:00", None),
        # The night in which the clock goes forward is an hour shorter, the other way longer.
        (NIGHT, "2024-03-31T04:59", "2024-03-31T05:00"),
        (NIGHT, "2024-10-27T05:30", "2024-10-27T06:00"),
        # From a time that the clock skips: the moment of the change.
        (QuietHours(time(2, 30), time(5), BERLIN), "2024-03-31T00:59", None),
        (QuietHours(time(2, 30), time(5), BERLIN), "2024-03-31T01:00", "2024-03-31T03:00"),
        (QuietHours(time(0), time(9), BERLIN, ("sat", "sun")), "2024-01-12T07:00", None),
        (
            QuietHours(time(0), time(9), BERLIN, ("sat", "sun")),
            "2024-01-13T07:00",
            "2024-01-13T08:00",
        ),
        # Leap day.
        (QuietHours(time(0), time(9), days=("thu",)), "2024-02-29T08:00", "2024-02-29T09:00"),
    ],
)
def test_quiet_hours_follow_the_clock_of_their_zone(
    hours: QuietHours, moment: str, until: str | None
) -> None:
    found = hours.until(datetime.fromisoformat(moment).replace(tzinfo=UTC))
    assert (found and found.strftime("%Y-%m-%dT%H:%M")) == until


def test_what_happens_in_quiet_hours_is_one_notice_afterwards_but_the_grave_wakes(
    settings: Settings,
) -> None:
    log = Metastore.open(settings.metastore_url).alerts
    channel = Channel("mail", "env://MAIL", quiet=(NIGHT,), wakes="error")
    alerting = Alerting("a", (Rule(("check_failed",)),), (Route(("mail",)),), (channel,))
    night = datetime(2024, 1, 10, 23, tzinfo=UTC)
    for number, one in enumerate(
        (signal(0, severity="warn", asset="s/a"), signal(1, severity="warn", asset="s/b")), 1
    ):
        at = night + timedelta(minutes=number)
        alerting.take(log, [one], log.cursor("a"), str(number), at)
    assert log.due("a", night + timedelta(hours=6)) == []
    alerting.take(log, [signal(2, asset="s/c")], log.cursor("a"), "3", night + timedelta(hours=1))
    assert len(log.due("a", night + timedelta(hours=1))) == 1
    morning = [one for one in log.notices() if one.due_at == datetime(2024, 1, 11, 6, tzinfo=UTC)]
    assert [len(from_json(one.items)) for one in morning] == [2]


def test_changes_within_the_window_are_one_notice(settings: Settings) -> None:
    log = Metastore.open(settings.metastore_url).alerts
    channel = Channel("mail", "env://MAIL", group_for=timedelta(minutes=5))
    alerting = Alerting("a", (Rule(("check_failed",)),), (Route(("mail",)),), (channel,))
    for minute in (0, 3, 6):
        one = signal(minute, asset=f"s/t{minute}")
        alerting.take(log, [one], log.cursor("a"), str(minute), BEGIN + timedelta(minutes=minute))
    assert [len(from_json(one.items)) for one in log.notices()] == [2, 1]


def test_a_notice_says_where_what_who_and_what_to_do() -> None:
    advice = Advice(
        owners=("team:sales",),
        downstream=("mart/sales",),
        link="http://dagster/runs/4f2c",
        next_step="etl resume 4f2c",
    )
    _, [change] = decide("a", {}, [signal(0, advice=advice)])
    items = [Item(what=change.what, incident=change.incident)]
    assert subject_of(items, "n1") == "[etl] OPEN error: check failed: shop/orders (n1)"
    text = text_of(items, "n1")
    for told in ("broken", "team:sales", "mart/sales", "http://dagster/runs/4f2c", "etl resume"):
        assert told in text


def test_a_route_to_a_channel_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match="channel 'pager'"):
        Alerting("a", (), (Route(("pager",)),), (Channel("mail", "env://MAIL"),))


def test_of_two_processes_that_decide_at_once_one_starts_again(
    settings: Settings, tmp_path: Path
) -> None:
    log = Metastore.open(settings.metastore_url).alerts
    alerting = Alerting("a", (Rule(("check_failed",)),), (), ())
    before = log.cursor("a")
    alerting.take(log, [signal(0)], before, "1", BEGIN)
    with pytest.raises(ConcurrentWrite):
        alerting.take(log, [signal(0)], before, "1", BEGIN)
    assert len(log.incidents()) == 1
