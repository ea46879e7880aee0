"""Alerting: observations in, incidents and notices kept, once and together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import NAMESPACE_URL, uuid5

from etl_platform.core.errors import ConcurrentWrite, ConfigError
from etl_platform.metastore import AlertCursorRecord, AlertLog, NoticeRecord
from etl_platform.monitoring.alerts.channels import Channel
from etl_platform.monitoring.alerts.decisions import Change, decide
from etl_platform.monitoring.alerts.notices import Item, from_json, to_json
from etl_platform.monitoring.alerts.routes import Route, channels_of
from etl_platform.monitoring.alerts.rules import Rule, judged
from etl_platform.monitoring.alerts.signals import Signal

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Taken:
    """What one look came to."""

    changes: tuple[Change, ...]
    notices: tuple[NoticeRecord, ...]


@dataclass(frozen=True, slots=True)
class Alerting:
    """One set of rules, routes and channels over the log that remembers.

    Raises:
        ConfigError: a route names a channel that there is not.
    """

    name: str
    rules: tuple[Rule, ...]
    routes: tuple[Route, ...]
    channels: tuple[Channel, ...]

    def __post_init__(self) -> None:
        known = [one.name for one in self.channels]
        for route in self.routes:
            for name in route.to:
                if name not in known:
                    raise ConfigError(
                        f"alerts {self.name!r}: a route goes to channel {name!r}",
                        valid=", ".join(known) or "there is no channel",
                        fix="declare it under channels",
                    )

    def take(
        self, log: AlertLog, signals: Sequence[Signal], before: AlertCursorRecord, cursor: str,
        moment: datetime,
    ) -> Taken:  # fmt: skip
        """Decide, and keep incidents, notices and the new cursor in one transaction.

        Raises:
            ConcurrentWrite: other processes looked at the same time; a later look sees the same.
            TransientError: the metastore does not answer.
        """
        seen = judged(self.rules, signals)
        after = AlertCursorRecord(alerts=self.name, cursor=cursor, decided_at=moment)
        for _ in range(_ATTEMPTS):
            newest = log.newest(self.name, (one.subject for one in seen))
            incidents, changes = decide(self.name, newest, seen)
            notices = self._notices(log, changes, moment)
            if not incidents and cursor == before.cursor:
                return Taken((), ())
            if log.decide(before, after, incidents, notices):
                return Taken(tuple(changes), tuple(notices))
            if log.cursor(self.name).version != before.version:
                break
            # A notice that was to get more items is being sent: they go into the next one.
        raise ConcurrentWrite(f"alerts {self.name!r} were decided by another process meanwhile")

    def told(self, changes: Sequence[Change]) -> Mapping[str, list[Change]]:
        """Who is told of what."""
        found: dict[str, list[Change]] = {}
        for change in changes:
            for name in channels_of(self.routes, change.incident):
                found.setdefault(name, []).append(change)
        return found

    def _notices(
        self, log: AlertLog, changes: Sequence[Change], moment: datetime
    ) -> list[NoticeRecord]:
        channels = {one.name: one for one in self.channels}
        told = self.told(changes)
        waiting = [
            one
            for one in (log.notices(alerts=self.name, state="waiting") if told else ())
            if one.attempts == 0 and one.due_at > moment
        ]
        found: dict[str, NoticeRecord] = {}
        for name, of_channel in told.items():
            for change in of_channel:
                due = channels[name].due_at(moment, change.incident.severity)
                joined = next(
                    (
                        one
                        for one in (*found.values(), *waiting)
                        # A grave one does not wait for the end of quiet hours with the others.
                        if one.channel == name and one.due_at <= due
                    ),
                    None,
                )
                notice = joined or self._new(name, change, moment, due)
                current = found.get(notice.id, notice)
                items = (
                    *from_json(current.items),
                    Item(what=change.what, incident=change.incident),
                )
                found[notice.id] = current.model_copy(update={"items": to_json(items)})
        return list(found.values())

    def _new(self, channel: str, change: Change, moment: datetime, due: datetime) -> NoticeRecord:
        name = f"{self.name}|{channel}|{change.incident.id}|{change.what}|{moment.timestamp():.6f}"
        return NoticeRecord(
            id=uuid5(NAMESPACE_URL, name).hex[:12],
            alerts=self.name,
            channel=channel,
            items="[]",
            created_at=moment,
            due_at=due,
        )
