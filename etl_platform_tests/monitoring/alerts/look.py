"""One look of alerts in a process of its own, that may be killed at a named point.

The points are those of :data:`POINTS`; ``nth`` chooses the notice at which the process dies.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import event

from etl_platform.core.errors import ConcurrentWrite
from etl_platform.metastore import AlertLog, Metastore
from etl_platform.monitoring.alerts import KINDS, Alerting, Channel, Route, Rule, Signal, deliver

POINTS = ("deciding", "decided", "claimed", "sent", "marked")
"""In the transaction of the decision; after it; before, after a message went out; once that is
kept."""
LEASE = timedelta(seconds=0.3)
ALERTING = Alerting(
    "platform",
    (Rule(KINDS),),
    (Route(("mail", "hook")),),
    (Channel("mail", "env://ALERTS_MAIL"), Channel("hook", "env://ALERTS_HOOK")),
)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class _Deadly(AlertLog):
    """The log, and the end of the process where a test wants it."""

    point: str | None = None
    nth: int = 0

    def decide(self, before, after, incidents, notices):
        if self.point == "deciding" and notices:
            event.listen(self.engine, "commit", lambda _: _die())
        done = AlertLog.decide(self, before, after, incidents, notices)
        if self.point == "decided" and notices:
            _die()
        return done

    def claim(self, notice_id, moment, until):
        found = AlertLog.claim(self, notice_id, moment, until)
        if self.point == "claimed" and self._here():
            _die()
        return found

    def finish(self, notice_id, state, *, moment, error=None):
        here = self._here()
        if self.point == "sent" and here:
            _die()
        AlertLog.finish(self, notice_id, state, moment=moment, error=error)
        if self.point == "marked" and here:
            _die()

    def _here(self) -> bool:
        done = sum(one.state == "sent" for one in self.notices())
        return done >= self.nth


def look(
    metastore_url: str, signals: Sequence[Signal], seen: str, point: str | None, nth: int
) -> None:
    """What the sensor does with what it saw; ``seen`` is the cursor after it."""
    engine = Metastore.open(metastore_url).alerts.engine
    log = _Deadly(engine, point, nth)
    before = log.cursor(ALERTING.name)
    # As the sensor: what was looked at is not looked at again.
    new = signals if before.cursor < seen else ()
    try:
        ALERTING.take(log, new, before, max(seen, before.cursor), datetime.now(UTC))
    except ConcurrentWrite:
        return
    deliver(log, ALERTING.name, ALERTING.channels, lease=LEASE)


_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload([__name__, "apprise", "etl_platform.metastore.models"])


def start_look(
    metastore_url: str,
    signals: Sequence[Signal],
    seen: str,
    point: str | None = None,
    nth: int = 0,
    environment: dict[str, str] | None = None,
) -> multiprocessing.process.BaseProcess:
    """Start a look in a process of its own."""
    process = _processes.Process(
        target=_with_environment,
        args=(environment or {}, metastore_url, list(signals), seen, point, nth),
    )
    process.start()
    return process


def _with_environment(environment: dict[str, str], *args) -> None:
    # The server that forks was started by an earlier test, with its environment.
    os.environ.update(environment)
    look(*args)
