"""Incidents are told once when they open and once when they end, whenever the sensor is killed."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from etl_platform.core.settings import Settings
from etl_platform.metastore import AlertLog, Metastore
from etl_platform.monitoring.alerts import KINDS, Advice, Channel, Signal, deliver
from etl_platform_tests.monitoring.alerts.look import ALERTING, POINTS, start_look
from etl_platform_tests.servers.receivers import Receiver

BEGIN = datetime(2024, 3, 1, 6, tzinfo=UTC)


@pytest.fixture
def log(settings: Settings) -> AlertLog:
    return Metastore.open(settings.metastore_url).alerts


@pytest.fixture
def environment(mailbox: Receiver, webhook: Receiver, monkeypatch: pytest.MonkeyPatch):
    found = {"ALERTS_MAIL": mailbox.url, "ALERTS_HOOK": webhook.url}
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    return found


def seen(minutes: int, *, bad: bool, asset: str = "shop/orders") -> list[Signal]:
    """Trouble, or its end, of every kind there is."""
    return [
        Signal(
            kind=kind,
            at=BEGIN + timedelta(minutes=minutes),
            bad=bad,
            message="it broke" if bad else "mended",
            asset=asset,
            partition="2024-02-29",
            name="a_check" if kind.startswith("check") else "",
            run_id="4f2c",
            value=100.0,
            advice=Advice(next_step="etl resume 4f2c"),
        )
        for kind in KINDS
    ]


def until_told(log: AlertLog, again: Callable[[], None]) -> None:
    """Look again and again, as the daemon does, until nothing waits."""
    limit = time.monotonic() + 60
    while log.notices(state="waiting"):
        assert time.monotonic() < limit, log.notices(state="waiting")
        again()


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_at_any_point_loses_no_notice_and_makes_none_twice(
    settings: Settings,
    log: AlertLog,
    environment: dict[str, str],
    mailbox: Receiver,
    webhook: Receiver,
    point: str,
) -> None:
    url = settings.metastore_url
    for number, signals in enumerate((seen(0, bad=True), seen(5, bad=False)), 1):
        cursor = str(number)
        killed = start_look(
            url, signals, cursor, point, nth=2 * number - 2, environment=environment
        )
        killed.join()
        assert killed.exitcode == -signal.SIGKILL

        def again(signals: list[Signal] = signals, cursor: str = cursor) -> None:
            start_look(url, signals, cursor, environment=environment).join()

        again()
        until_told(log, again)

    incidents = log.incidents(still_open=False)
    assert sorted(one.kind for one in incidents) == sorted(KINDS)
    wanted = Counter((mark, one.id) for one in incidents for mark in ("OPEN", "RECOVERED"))
    for receiver in (mailbox, webhook):
        assert receiver.changes() == wanted
        assert all(one.notice_id in one.subject for one in receiver.messages)
    # Only what was sent, and could not be marked, is sent again, under the same id.
    repeats = sum(len(one.messages) - len(one.once()) for one in (mailbox, webhook))
    assert repeats == (2 if point == "sent" else 0)


@pytest.mark.stress
def test_a_hundred_random_kills_lose_nothing(
    settings: Settings,
    log: AlertLog,
    environment: dict[str, str],
    mailbox: Receiver,
    webhook: Receiver,
) -> None:
    dice, url, kills, repeats, round_number = (
        random.Random(20240229),
        settings.metastore_url,
        0,
        0,
        0,
    )
    while kills < 100:
        round_number += 1
        asset = f"shop/t{(round_number - 1) // 2}"
        signals = seen(round_number, bad=round_number % 2 == 1, asset=asset)
        cursor = f"{round_number:06d}"

        def again(signals: list[Signal] = signals, cursor: str = cursor) -> None:
            start_look(url, signals, cursor, environment=environment).join()

        for _ in range(dice.randint(1, 3)):
            point = dice.choice((*POINTS, None))
            already = sum(one.state == "sent" for one in log.notices())
            nth = already + dice.randint(0, 1)
            process = start_look(url, signals, cursor, point, nth, environment)
            if point is None:
                process.join(dice.uniform(0, 0.15))
                if process.is_alive() and process.pid is not None:
                    os.kill(process.pid, signal.SIGKILL)
            process.join()
            kills += process.exitcode == -signal.SIGKILL
        again()
        until_told(log, again)
    if round_number % 2:
        signals = seen(round_number + 1, bad=False, asset=f"shop/t{(round_number - 1) // 2}")
        start_look(url, signals, f"{round_number + 1:06d}", environment=environment).join()
    incidents = log.incidents(still_open=False, limit=100_000)
    wanted = Counter((mark, one.id) for one in incidents for mark in ("OPEN", "RECOVERED"))
    for receiver in (mailbox, webhook):
        assert receiver.changes() == wanted
        repeats += len(receiver.messages) - len(receiver.once())
    print(
        f"\n{kills} kills, {len(incidents)} incidents, {len(wanted)} changes told once at each of "
        f"2 receivers; {repeats} repeats, each under the id of the first"
    )


def test_a_channel_that_is_away_is_tried_again(
    log: AlertLog, environment: dict[str, str], mailbox: Receiver, webhook: Receiver
) -> None:
    webhook.refuse = True
    moment = datetime.now(UTC)
    ALERTING.take(log, seen(0, bad=True)[:1], log.cursor("platform"), "1", moment)
    first = deliver(log, "platform", ALERTING.channels)
    assert len(first.sent) == len(first.failed) == 1
    assert deliver(log, "platform", ALERTING.channels).failed == ()  # not yet
    webhook.refuse = False
    later = deliver(log, "platform", ALERTING.channels, now=lambda: moment + timedelta(minutes=1))
    assert len(later.sent) == 1
    assert len(mailbox.messages) == len(webhook.messages) == 1


def test_what_nobody_takes_for_three_days_is_given_up_and_stays_on_record(
    log: AlertLog, environment: dict[str, str], webhook: Receiver
) -> None:
    webhook.refuse = True
    moment = datetime.now(UTC)
    ALERTING.take(log, seen(0, bad=True)[:1], log.cursor("platform"), "1", moment)
    deliver(log, "platform", ALERTING.channels, now=lambda: moment + timedelta(days=4))
    [notice] = log.notices(state="given_up")
    assert notice.channel == "hook"
    assert notice.error is not None


def test_an_optional_channel_without_an_address_keeps_its_notices_for_reading(
    log: AlertLog,
) -> None:
    channels = [Channel(one.name, "env://NOT_SET_HERE", optional=True) for one in ALERTING.channels]
    ALERTING.take(log, seen(0, bad=True)[:1], log.cursor("platform"), "1", datetime.now(UTC))
    assert len(deliver(log, "platform", channels).kept) == 2
    assert {one.state for one in log.notices()} == {"kept"}


def test_an_error_of_a_channel_does_not_show_its_address(
    log: AlertLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALERTS_MAIL", "nosuch://user:s3cr3t@host")
    monkeypatch.setenv("ALERTS_HOOK", "json://user:s3cr3t@127.0.0.1:1/")
    ALERTING.take(log, seen(0, bad=True)[:1], log.cursor("platform"), "1", datetime.now(UTC))
    failed = deliver(log, "platform", ALERTING.channels).failed
    assert len(failed) == 2
    assert "s3cr3t" not in str(failed)
