"""Delivery: notices that are due leave the outbox, at least once and one after another."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from etl_platform.core.errors import EtlError, SecretError, SourceUnavailable
from etl_platform.monitoring.alerts.notices import from_json, subject_of, text_of

if TYPE_CHECKING:
    from etl_platform.metastore import AlertLog, NoticeRecord
    from etl_platform.monitoring.alerts.channels import Channel

ID_HEADER = "X-Etl-Notice"
"""Header of mails and HTTP requests that carries the notice's id."""
_LEASE = timedelta(minutes=2)
_FIRST_RETRY_S, _LONGEST_RETRY_S = 15.0, 1800.0
_GIVE_UP_AFTER = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Delivered:
    """What a round of sending came to, as ids of notices; ``failed`` with the reason."""

    sent: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()


def deliver(
    log: AlertLog,
    alerts: str,
    channels: Sequence[Channel],
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    lease: timedelta = _LEASE,
    budget_s: float = 30.0,
) -> Delivered:
    """Send what is due; what cannot be sent waits for longer and longer, three days in all.

    A notice is claimed before it is sent and marked after. Who dies in between leaves it claimed,
    and when the lease is over the next round sends it under the same id.

    Args:
        lease: how long a claim is respected.
        budget_s: no further notice is begun after so many seconds.
    """
    known = {one.name: one for one in channels}
    begun = time.monotonic()
    sent: list[str] = []
    kept: list[str] = []
    failed: list[tuple[str, str]] = []
    for notice_id in log.due(alerts, now()):
        if time.monotonic() - begun > budget_s:
            break
        moment = now()
        notice = log.claim(notice_id, moment, moment + lease)
        if notice is None:
            continue
        channel = known.get(notice.channel)
        try:
            if channel is None:
                raise SecretError(f"channel {notice.channel!r} is not declared any more")
            send(channel.url, notice)
        except EtlError as error:
            gone = channel is None or (channel.optional and isinstance(error, SecretError))
            if gone:
                log.finish(notice_id, "kept", moment=now(), error=error.what)
                kept.append(notice_id)
            else:
                _again(log, notice, error.what, now())
                failed.append((notice_id, error.what))
            continue
        log.finish(notice_id, "sent", moment=now())
        sent.append(notice_id)
    return Delivered(tuple(sent), tuple(kept), tuple(failed))


def send(url: str, notice: NoticeRecord) -> None:
    """Send one notice, now.

    Args:
        url: secret reference to one apprise URL.

    Raises:
        SecretError: the reference does not resolve, or not to one apprise URL.
        SourceUnavailable: the other side did not take the message.
    """
    import logging

    import apprise

    from etl_platform.core.secrets import resolve

    text = resolve(url)
    made = apprise.Apprise()
    if not made.add(text) or len(made) != 1:
        raise SecretError(
            f"{url} does not hold one apprise URL",
            valid="mailtos://user:password@host, slack://..., json://host/path: "
            "https://github.com/caronc/apprise",
        )
    headers = getattr(made[0], "headers", None)
    if isinstance(headers, dict):
        headers[ID_HEADER] = notice.id
    items = from_json(notice.items)
    # Apprise says why it failed in its log only, and with addresses in it.
    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    done = made.notify(
        title=subject_of(items, notice.id),
        body=text_of(items, notice.id),
        body_format=apprise.NotifyFormat.TEXT,
    )
    if not done:
        raise SourceUnavailable(
            f"channel {notice.channel!r} did not take notice {notice.id}",
            fix=f"etl alerts test --channel {notice.channel} --send",
        )


def _again(log: AlertLog, notice: NoticeRecord, why: str, moment: datetime) -> None:
    if moment - notice.created_at > _GIVE_UP_AFTER:
        log.finish(notice.id, "given_up", moment=moment, error=why)
        return
    wait = min(_FIRST_RETRY_S * 2 ** (notice.attempts - 1), _LONGEST_RETRY_S)
    log.put_off(notice.id, moment + timedelta(seconds=wait), why)
